//! Reservations under a limit: a call's bound comes from the fields that its own provider obeys.

use keyway_domain::Limits;
use serde_json::{Value, json};

use super::{
    harness::{Harness, chat},
    limits::hold_still,
};

const LIMIT: i64 = 100_000;

#[tokio::test]
async fn a_length_in_another_shapes_field_or_of_nothing_reserves_what_the_model_can_give() {
    let (harness, _) = Harness::ready().await;
    for (field, value, is_bound) in [
        ("max_tokens", json!(8), true),
        ("max_completion_tokens", json!("8"), true),
        ("max_tokens", json!(0), false),
        ("max_tokens", json!(-1), false),
        ("max_output_tokens", json!(8), false),
        ("maxOutputTokens", json!(8), false),
        ("generationConfig", json!({ "maxOutputTokens": 8 }), false),
        ("generation_config", json!({ "max_output_tokens": 8 }), false),
        ("inferenceConfig", json!({ "maxTokens": 8 }), false),
    ] {
        let limits = Limits { tokens_per_minute: Some(LIMIT), ..Limits::default() };
        let key = harness.virtual_key_within(limits, None).await;
        hold_still(&harness, key.id.uuid()).await;
        let mut body: Value = chat(false);
        body[field] = value.clone();
        let answer = harness.post("/v1/chat/completions", &key, &body).send().await.unwrap();
        let left = answer.headers()["x-keyway-ratelimit-remaining-tokens"].to_str().unwrap().parse::<i64>().unwrap();
        // What a call reserved is still taken off while the head of its answer is on its way.
        let reserved = LIMIT - left;
        assert_eq!(reserved < 1000, is_bound, "{field}: {value} reserved {reserved}");
        assert!(is_bound || reserved > 16_384, "{field}: {value} reserved {reserved}");
    }
}
