//! Calls written down before they are made are found after the process, and nothing else is.

use super::*;

fn directory() -> PathBuf {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/tmp");
    let directory = directory.join(format!("under-way-{}", Uuid::now_v7().simple()));
    fs::create_dir_all(&directory).unwrap();
    directory
}

fn admission<'a>(path: &'a str, model: Option<&'a str>) -> Admission<'a> {
    Admission {
        tenant_id: TenantId::new(),
        request_id: RequestId::new(),
        project_id: ProjectId::new(),
        virtual_key_id: VirtualKeyId::new(),
        served_by: ServedBy::Integration(keyway_domain::IntegrationId::new()),
        credential: CredentialSource::Own,
        provider: "openai".into(),
        model: model.map(Cow::Borrowed),
        path: path.into(),
        started_at: Timestamp::from_ms(5),
        attempts: 1,
    }
}

fn left(calls: &UnderWay) -> Vec<MeteredCall> {
    settle(&fs::read(&calls.path).unwrap()).calls.into_values().flatten().collect()
}

#[test]
fn what_stands_in_a_place_is_settled_and_nothing_else_is() {
    let calls = UnderWay::create(&directory()).unwrap();
    let [first, second, unused] = [(); 3].map(|()| calls.place().unwrap());
    let [one, mut two] = [admission("/v1/chat/completions", Some("gpt-4o-mini")), admission("/v1/embeddings", None)];
    two.credential = CredentialSource::Fallback;
    first.write(&one).unwrap();
    second.write(&two).unwrap();
    let found = left(&calls);
    assert_eq!(found.iter().map(|call| call.request_id).collect::<Vec<_>>(), [one.request_id, two.request_id]);
    assert_eq!(found[0].model.as_deref(), Some("gpt-4o-mini"));
    assert_eq!([found[0].credential, found[1].credential], [CredentialSource::Own, CredentialSource::Fallback]);
    assert!(
        found.iter().all(|call| call.settled && !call.complete && call.tokens == keyway_domain::TokenCounts::default())
    );

    // Its record is written: until the place is emptied or taken again, both are found, and the ledger chooses.
    drop((first, unused));
    assert_eq!(left(&calls).len(), 2);
    calls.clear();
    assert_eq!(left(&calls).iter().map(|call| call.request_id).collect::<Vec<_>>(), [two.request_id]);
    let again = calls.place().unwrap();
    again.write(&admission("/short", None)).unwrap();
    assert_eq!(left(&calls).len(), 2);
    assert!(fs::metadata(&calls.path).unwrap().len() <= 3 * PLACE_BYTES as u64, "places are used again");
}

#[test]
fn a_place_that_was_written_is_taken_again_before_it_is_emptied() {
    let calls = UnderWay::create(&directory()).unwrap();
    for _ in 0..3 {
        let place = calls.place().unwrap();
        place.write(&admission(&"x".repeat(100), Some("a-model"))).unwrap();
    }
    assert_eq!(left(&calls).len(), 1);
    let held = calls.place().unwrap();
    calls.clear();
    assert_eq!(left(&calls).len(), 1, "a place in use is never emptied");
    drop(held);
    calls.clear();
    assert!(left(&calls).is_empty());
    assert!(fs::read(&calls.path).unwrap().iter().all(|byte| *byte == 0), "nothing of a call is left behind it");
}

#[test]
fn a_call_that_is_too_long_for_its_place_is_cut() {
    let calls = UnderWay::create(&directory()).unwrap();
    let places: Vec<_> = (0..3).map(|_| calls.place().unwrap()).collect();
    let long = ["\"".repeat(1200), "é".repeat(300), "x".repeat(PLACE_BYTES)];
    for (place, text) in places.iter().zip(&long) {
        place.write(&admission(text, Some(text))).unwrap();
    }
    let found = left(&calls);
    assert_eq!(found.len(), 3);
    for (call, text) in found.iter().zip(&long) {
        assert!(text.starts_with(&call.path) && !call.path.is_empty());
    }
}

#[test]
fn a_file_in_use_is_locked_and_a_crowd_is_refused() {
    let calls = UnderWay::create(&directory()).unwrap();
    assert!(File::open(&calls.path).unwrap().try_lock().is_err());
    let places: Vec<_> = std::iter::from_fn(|| calls.place()).collect();
    assert_eq!(places.len(), PLACES as usize);
    drop(places);
    assert!(calls.place().is_some());
    calls.remove();
    assert!(!calls.path.exists());
}
