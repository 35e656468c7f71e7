//! What the fuzz targets run: the tests' own functions, built once more with the fuzzer's instruments.

#[path = "../../tests/it/random/answer.rs"]
pub mod answer;
#[path = "../../tests/it/random/bytes.rs"]
pub mod bytes;
#[path = "../../tests/it/random/choices.rs"]
pub mod choices;
#[path = "../../tests/it/random/grammar.rs"]
pub mod grammar;
#[path = "../../tests/it/random/host.rs"]
pub mod host;
#[path = "../../tests/it/http.rs"]
pub mod http;
#[path = "../../tests/it/random/render.rs"]
pub mod render;
#[path = "../../tests/it/random/targets.rs"]
pub mod targets;
#[path = "../../tests/it/random/values.rs"]
pub mod values;
#[path = "../../tests/it/random/words.rs"]
pub mod words;
