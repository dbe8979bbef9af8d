//! How the operator is linked.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // The program's own addresses are relocated at every start; packed, their table is a hundredth of its size, and
    // needs no memory. Known to glibc since 2.36 and to the linkers since binutils 2.38 and LLVM 15.
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux")
        && std::env::var("CARGO_CFG_TARGET_ENV").as_deref() == Ok("gnu")
    {
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}
