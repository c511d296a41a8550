"""The configuration of the operator: one TOML file, the environment over it, and secrets in files of their own."""
