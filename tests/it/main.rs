//! Black-box tests: the real binary against a real listener, through one environment builder.

mod command;
mod conformance;
#[allow(dead_code)] // until the tests of the program are here
mod env;
mod harness;
mod http;
mod images;
#[allow(dead_code)] // the same
mod metad;
mod random;
mod stage;
mod tools;
