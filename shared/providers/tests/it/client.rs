//! The guarded client against hosts that must not be called and answers that must not be followed.

use http::HeaderMap;
use keyway_providers::{
    GuardError, GuardSettings, GuardedClient,
    guard::{Answer, Question},
};
use keyway_testkit::{
    replay::{Fixture, Replay},
    simulator::Simulator,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::world::{client, clients};

async fn get(http: &GuardedClient, url: &str, key: &str) -> anyhow::Result<Result<Answer, GuardError>> {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", format!("Bearer {key}").parse()?);
    Ok(http.ask(Question::get(url.parse()?, headers)).await)
}

#[tokio::test]
async fn a_host_that_is_not_trusted_is_never_connected_to() -> anyhow::Result<()> {
    let simulator = Simulator::start().await?;
    let port = simulator.address.port();
    let distrusting = GuardedClient::new(&GuardSettings::default())?;
    for url in [
        format!("http://127.0.0.1:{port}/v1/models"),
        format!("https://127.0.0.1:{port}/v1/models"),
        format!("http://localhost:{port}/v1/models"),
        format!("https://localhost:{port}/v1/models"),
        format!("https://[::ffff:127.0.0.1]:{port}/v1/models"),
        format!("https://2130706433:{port}/v1/models"),
        format!("https://127.0.0.1.nip.io:{port}/v1/models"),
    ] {
        let result = get(&distrusting, &url, "sk-sim-good-1").await?;
        assert!(matches!(result, Err(GuardError::Refused(_))), "{url}: {result:?}");
    }
    assert!(simulator.all_calls().is_empty(), "somebody called");
    Ok(())
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() -> anyhow::Result<()> {
    let simulator = Simulator::start().await?;
    for (calls, http) in (1..).zip(clients(&simulator.host())?) {
        let answer = get(&http, &format!("{}/models", simulator.base_url), "sk-sim-redirect-1").await??;
        assert_eq!(answer.status.as_u16(), 307);
        assert_eq!(simulator.calls("sk-sim-redirect-1", "/v1/models"), calls);
    }
    Ok(())
}

#[tokio::test]
async fn a_host_that_hangs_or_breaks_off_ends_in_an_error_without_its_url() -> anyhow::Result<()> {
    let simulator = Simulator::start().await?;
    let url = format!("{}/models", simulator.base_url);
    for http in clients(&simulator.host())? {
        for (key, expected) in [("sk-sim-hang-1", GuardError::TimedOut), ("sk-sim-cut-1", GuardError::Broken)] {
            let error = get(&http, &url, key).await?.err();
            assert_eq!(error, Some(expected), "{key}");
            assert!(!format!("{error:?}").contains("127.0.0.1"));
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_body_that_is_too_long_is_not_read_to_its_end() -> anyhow::Result<()> {
    let mut long = Fixture::load("openai/verify_ok")?;
    long.body = vec![b' '; (1 << 20) + 1];
    let server = Replay::start(vec![long]).await?;
    for http in clients(&server.host)? {
        let result = get(&http, &format!("{}/v1/models", server.root), "k").await?;
        assert_eq!(result.err(), Some(GuardError::TooLarge));
    }
    Ok(())
}

#[tokio::test]
async fn a_host_that_sends_anything_but_an_answer_is_not_read_for_long() -> anyhow::Result<()> {
    const EARLY: &str = "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n";
    const ANSWER: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
    for (heads, expected) in [(16, Ok(200)), (20, Err(GuardError::Flooded))] {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let host = listener.local_addr()?.to_string();
        let said = EARLY.repeat(heads) + ANSWER;
        let serving = async {
            let (mut stream, _) = listener.accept().await?;
            let _ = stream.read(&mut [0; 4096]).await?;
            stream.write_all(said.as_bytes()).await
        };
        let (http, url) = (client(&host)?, format!("http://{host}/v1/models"));
        let (served, answer) = tokio::join!(serving, get(&http, &url, "k"));
        served?;
        assert_eq!(answer?.map(|answer| answer.status.as_u16()), expected, "{heads}");
    }
    Ok(())
}
