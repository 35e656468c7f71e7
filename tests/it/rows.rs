//! One test for each thing that the original gets wrong (the numbered table in the README): each of
//! them fails when its fix is taken out.

mod files;
mod loops;
mod metadata;
mod rest;
