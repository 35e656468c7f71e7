//! Resources that do more than make one file: files made once, former versions, blocks in files of
//! others, many files from one template, and groups that are swapped all or none.

mod block;
mod block_rollback;
mod each;
mod each_rollback;
mod keys;
mod meanwhile;
mod rollback;
mod swap;
mod tools;
mod torture;
