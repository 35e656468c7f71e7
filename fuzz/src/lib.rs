//! What the fuzz targets run: the tests' own functions, built once more with the fuzzer's
//! instruments.

#[path = "../../tests/it/fuzz/answer.rs"]
pub mod answer;
#[path = "../../tests/it/fuzz/bytes.rs"]
pub mod bytes;
#[path = "../../tests/it/fuzz/choices.rs"]
pub mod choices;
#[path = "../../tests/it/fuzz/grammar.rs"]
pub mod grammar;
#[path = "../../tests/it/fuzz/host.rs"]
pub mod host;
#[path = "../../tests/it/http.rs"]
pub mod http;
#[path = "../../tests/it/fuzz/render.rs"]
pub mod render;
#[path = "../../tests/it/fuzz/targets.rs"]
pub mod targets;
#[path = "../../tests/it/fuzz/values.rs"]
pub mod values;
#[path = "../../tests/it/fuzz/words.rs"]
pub mod words;
