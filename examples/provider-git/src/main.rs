//! A gateway with the provider `git`.

fn main() -> std::process::ExitCode {
    let mut registry = harmony_host::registry();
    registry.register(provider_git::GitFactory);
    harmony_host::cli::main(registry)
}
