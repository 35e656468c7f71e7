//! `confd`: flags -> config -> agent. Prints the error chain once and sets the exit code.

fn main() {}
