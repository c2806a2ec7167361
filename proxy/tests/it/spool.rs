//! The spool: records written before a crash arrive once, and nothing is left behind.

use std::{fs, path::PathBuf};

use keyway_domain::{Lane, Route, Timestamp};
use keyway_store::outbox;
use keyway_testkit::simulator::{Fault, Script};

use super::harness::{Harness, Key, SECRET, chat, until};

fn files(harness: &Harness, kind: &str) -> Vec<PathBuf> {
    let paths = fs::read_dir(harness.directory.join("spool")).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == kind)).collect()
}

fn segments(harness: &Harness) -> Vec<PathBuf> {
    files(harness, "spool")
}

async fn call(harness: &Harness, key: &Key) {
    let answer = harness.get("/proxy/openai/v1/models", key).send().await.unwrap();
    answer.text().await.unwrap();
}

#[tokio::test]
async fn records_of_a_process_that_died_are_moved_once_by_the_next() {
    let (mut harness, key) = Harness::ready().await;
    // A segment of another process that is gone, with a line it did not finish.
    call(&harness, &key).await;
    let own = harness.records(1).await.remove(0);
    let mut calls = Vec::new();
    let mut text = String::new();
    for _ in 0..450 {
        let call = keyway_domain::MeteredCall { request_id: keyway_domain::RequestId::new(), ..own.clone() };
        text += &format!("{}\n", serde_json::json!({ "tenant_id": harness.tenant, "call": call }));
        calls.push(call.request_id);
    }
    let left = harness.directory.join("spool").join("0198left.spool");
    fs::write(&left, format!("{text}{{\"tenant_id\":\"tnt_01")).unwrap();
    harness.restart().await;
    let mut found: Vec<_> = harness.records(450).await.iter().map(|call| call.request_id).collect();
    found.sort_unstable();
    assert_eq!(found, calls);
    // It died again after the commit and before the deletion.
    fs::write(&left, &text).unwrap();
    let ids = |harness: &Harness| {
        let store = harness.store.clone();
        async move {
            let tx = store.system().await.unwrap();
            let rows = outbox::claim(&tx, Route::Lane(Lane::Meter), 1000, Timestamp::now()).await.unwrap();
            tx.commit().await.unwrap();
            let mut ids: Vec<_> = rows.into_iter().map(|row| row.id).collect();
            ids.sort_unstable();
            ids
        }
    };
    harness.restart().await;
    until("the segment to be moved", async || !left.exists()).await;
    let first = ids(&harness).await;
    assert_eq!(first.len(), 3);
    fs::write(&left, &text).unwrap();
    harness.restart().await;
    until("the segment to be moved again", async || !left.exists()).await;
    assert_eq!(ids(&harness).await, first, "the same messages, so the same rows");
}

#[tokio::test]
async fn a_damaged_record_is_set_aside_and_the_others_arrive() {
    let (harness, key) = Harness::ready().await;
    call(&harness, &key).await;
    harness.records(1).await;
    harness.store.clone().close().await;
    for _ in 0..2 {
        call(&harness, &key).await;
    }
    harness.proxy.drain().await;
    let written: String = segments(&harness).iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let lines: Vec<_> = written.lines().collect();
    assert!(lines.len() == 2 && lines.iter().all(|line| line.contains(r#","crc32":""#)), "{written}");
    // It would still be a call, of another duration, but for its checksum.
    let damaged = lines[0].replacen(r#""duration_ms":"#, r#""duration_ms":1"#, 1);
    let (mut harness, key) = Harness::ready().await;
    call(&harness, &key).await;
    let own = harness.records(1).await.remove(0);
    let of_older_build = serde_json::json!({ "tenant_id": harness.tenant, "call": own });
    let left = harness.directory.join("spool").join("0198left.spool");
    fs::write(&left, format!("{damaged}\n{of_older_build}\nno call\n")).unwrap();
    harness.restart().await;
    assert_eq!(harness.records(1).await[0].request_id, own.request_id);
    let kept = fs::read_to_string(left.with_added_extension("unreadable")).unwrap();
    assert_eq!((kept, left.exists()), (format!("{damaged}\nno call\n"), false));
}

#[tokio::test]
async fn a_dropped_proxy_leaves_its_records_for_the_next() {
    let (mut harness, key) = Harness::ready().await;
    for _ in 0..5 {
        call(&harness, &key).await;
    }
    // Replaces the running proxy without draining it.
    harness.restart().await;
    harness.records(5).await;
    until("the spool to be empty", async || {
        harness.proxy.drain().await;
        segments(&harness).is_empty()
    })
    .await;
}

#[tokio::test]
async fn a_call_under_way_of_a_process_that_died_is_settled() {
    let (mut harness, key) = Harness::ready().await;
    call(&harness, &key).await;
    let completed = harness.records(1).await.remove(0);
    assert!(completed.complete && !completed.settled && completed.overhead_us.is_some(), "{completed:?}");
    let slow = Script { key: SECRET.to_owned(), fault: Fault::None, times: Some(1), latency_ms: 500 };
    harness.simulator.script(slow);
    let asked = harness.simulator.calls(SECRET, "/v1/chat/completions");
    let mut body = chat(true);
    body["model"] = "newer-than-the-list".into();
    let request = harness.post("/proxy/openai/v1/chat/completions", &key, &body).send();
    let dies = async {
        let arrived = async || harness.simulator.calls(SECRET, "/v1/chat/completions") > asked;
        until("the provider is called", arrived).await;
        let live = files(&harness, "calls");
        assert_eq!(live.len(), 1, "{live:?}");
        // As if the process had died now: nobody has a lock on what it left.
        fs::copy(&live[0], live[0].with_file_name("0198died.calls")).unwrap();
    };
    let (answer, ()) = tokio::join!(request, dies);
    let died = files(&harness, "calls").into_iter().find(|path| path.ends_with("0198died.calls")).unwrap();
    harness.restart().await;
    // This process did not die after all: its own record of the same call comes too.
    answer.unwrap().text().await.unwrap();
    let mut both = harness.records(2).await;
    both.sort_unstable_by_key(|call| call.settled);
    let [record, settled] = &both[..] else { panic!("{both:?}") };
    assert!(!died.exists());
    assert!(settled.settled && !settled.complete && settled.http_status.is_none(), "{settled:?}");
    assert_eq!(settled.path, "/v1/chat/completions");
    assert_eq!(settled.model.as_deref(), Some("newer-than-the-list"));
    assert_eq!((settled.virtual_key_id, settled.project_id), (key.id, harness.project));
    assert!(record.complete && record.request_id == settled.request_id, "{record:?}");
}

#[tokio::test]
async fn a_segment_that_is_being_written_is_left_alone() {
    let (mut harness, key) = Harness::ready().await;
    let first = std::sync::Arc::clone(&harness.proxy);
    let first_url = harness.url.clone();
    harness.restart().await;
    for url in [first_url, harness.url.clone(), harness.url.clone()] {
        let answer = harness.http.get(format!("{url}/proxy/openai/v1/models")).bearer_auth(&key.text);
        assert_eq!(answer.send().await.unwrap().status(), 200);
    }
    first.drain().await;
    harness.records(3).await;
    assert!(harness.take_records().await.is_empty(), "two proxies on one directory double nothing");
}

#[tokio::test]
async fn what_cannot_be_read_does_not_hold_up_later_segments() {
    let (harness, key) = Harness::ready().await;
    let unreadable = harness.directory.join("spool").join("0000first.spool");
    fs::create_dir(&unreadable).unwrap();
    call(&harness, &key).await;
    harness.records(1).await;
    assert_eq!(segments(&harness), [unreadable]);
}

#[tokio::test]
async fn records_wait_while_the_database_is_away() {
    let (harness, key) = Harness::ready().await;
    call(&harness, &key).await;
    harness.records(1).await;
    harness.store.clone().close().await;
    call(&harness, &key).await;
    harness.proxy.drain().await;
    let waiting = segments(&harness);
    assert_eq!(waiting.len(), 1, "{waiting:?}");
    assert!(fs::read_to_string(&waiting[0]).unwrap().ends_with("}\n"));
}
