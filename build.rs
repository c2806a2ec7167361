//! Compiles the binary anew when the dashboard was built anew: the files that are embedded are not known to the compiler
//! before they are there.

fn main() {
    println!("cargo::rerun-if-changed=dashboard/dist");
}
