//! The command line tool.

fn main() -> std::process::ExitCode {
    isoroot::cli::main()
}
