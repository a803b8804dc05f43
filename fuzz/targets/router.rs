//! Routing looks at values before anything has checked them, and must agree with the parser.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use logintide::{
    event::{EventConfig, FieldNames, Parser},
    source::{Router, find_user_id},
};

/// Kafka timestamp of the records: in 2024.
const RECORD_MS: i64 = 1_730_555_820_000;

/// One worker is a case of its own; with many, two users rarely share one by chance.
static ROUTERS: LazyLock<[Router; 3]> =
    LazyLock::new(|| [1, 3, 250].map(|workers| Router::new(&FieldNames::default(), workers)));

fuzz_target!(|data: &[u8]| {
    let found = find_user_id(data, "user_id");
    for router in ROUTERS.iter() {
        router.worker_of(data, -1);
    }
    let mut parser = Parser::new(&EventConfig::default());
    let Ok(event) = parser.parse(data, RECORD_MS) else { return };

    let raw = found.expect("what the parser accepts has a user id");
    let quoted = [b"\"", raw, b"\""].concat();
    let text: String = serde_json::from_slice(&quoted).expect("what was found is a JSON string");
    assert_eq!(text, event.user_id);

    let plain = serde_json::json!({ "user_id": event.user_id }).to_string();
    for router in ROUTERS.iter() {
        let home = router.worker_of(plain.as_bytes(), 1);
        assert_eq!(router.worker_of(data, 2), home, "a user has one worker");
    }
});
