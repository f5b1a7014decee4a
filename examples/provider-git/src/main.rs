//! A gateway that follows a git repository.

fn main() -> std::process::ExitCode {
    let mut registry = harmony_host::registry();
    registry.register(provider_git::GitFactory);
    harmony_host::cli::main(registry)
}
