// Command postgres brings the PostgreSQL of one version: the programs that the embedded-postgres project publishes for
// versions that no release of Debian ever had. It starts the server once, which proves that it runs here.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: postgres VERSION FOLDER PORT")
		os.Exit(2)
	}
	port, err := strconv.ParseUint(os.Args[3], 10, 16)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if err := bring(embeddedpostgres.PostgresVersion(os.Args[1]), os.Args[2], uint32(port)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// bring leaves the programs in `folder/programs`; the server listens on `port` for a moment.
func bring(version embeddedpostgres.PostgresVersion, folder string, port uint32) error {
	server := embeddedpostgres.NewDatabase(embeddedpostgres.DefaultConfig().
		Version(version).
		Port(port).
		CachePath(filepath.Join(folder, "archive")).
		RuntimePath(filepath.Join(folder, "run")).
		DataPath(filepath.Join(folder, "data")).
		BinariesPath(filepath.Join(folder, "programs")))
	if err := server.Start(); err != nil {
		return fmt.Errorf("bring PostgreSQL %s: %w", version, err)
	}
	return server.Stop()
}
