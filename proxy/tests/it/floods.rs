//! Providers that send anything but an answer: it costs one call, and nobody else's.

use super::{
    failover::place,
    harness::chat,
    hostile::ANSWER,
    scripted::{Scripted, behind},
};

const EARLY: &str = "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n";

#[tokio::test]
async fn a_few_interim_heads_before_an_answer_are_passed_over() {
    let (_provider, harness, key) = behind(Scripted::says(EARLY.repeat(16) + ANSWER).await).await;
    let answer = harness.post("/v1/chat/completions", &key, &chat(false)).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.text().await.unwrap().as_str()), (200, "{}"));
}

#[tokio::test]
async fn a_provider_that_sends_no_answer_but_heads_or_blank_lines_is_left_alone() {
    for sent in [EARLY.repeat(20), "\r\n".repeat(40_000)] {
        let (mut provider, harness, key) = behind(Scripted::says(sent + ANSWER).await).await;
        let call = async || harness.post("/v1/chat/completions", &key, &chat(false)).send().await.unwrap();
        let answer = call().await;
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["x-keyway-error"]),
            (502, &"upstream_flooded".parse().unwrap())
        );
        let record = harness.records(1).await.remove(0);
        assert_eq!((record.http_status, record.complete, record.tokens.output), (None, false, None));
        assert!(provider.requests.try_recv().is_ok());

        let other = harness.integration("openai", "sk-sim-good-second").await;
        place(&harness, other, 1, 1).await;
        let answer = call().await;
        assert_eq!(answer.headers()["x-keyway-integration"], other.to_string().as_str());
        assert!(answer.status().is_success() && provider.requests.try_recv().is_err(), "it is asked nothing for now");
    }
}
