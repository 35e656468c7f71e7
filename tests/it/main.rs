//! Black-box tests: the real binary against a real listener, through one environment builder.

mod answers;
mod apply;
mod command;
mod compare;
mod conformance;
mod daemon;
mod docs;
mod env;
mod flags;
mod fuzz;
mod harness;
mod http;
mod images;
mod logs;
mod lookup;
mod metad;
mod names;
mod onetime;
mod output;
mod rows;
mod security;
mod stage;
mod tables;
mod tools;
mod torture;
mod zones;
