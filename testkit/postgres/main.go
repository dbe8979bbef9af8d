// Command postgres brings the PostgreSQL of one version: the programs that the embedded-postgres project publishes for
// versions that no release of Debian ever had. It starts the server once, which proves that it runs here.
package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: postgres VERSION FOLDER")
		os.Exit(2)
	}
	if err := bring(embeddedpostgres.PostgresVersion(os.Args[1]), os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// bring leaves the programs in `folder/programs`.
func bring(version embeddedpostgres.PostgresVersion, folder string) error {
	port, err := freePort()
	if err != nil {
		return err
	}
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

func freePort() (uint32, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	address, ok := listener.Addr().(*net.TCPAddr)
	if !ok {
		return 0, errors.New("the listener has no TCP address")
	}
	return uint32(address.Port), listener.Close()
}
