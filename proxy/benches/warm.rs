//! The parts of the warm path on their own: sealing and opening a secret, finding an entry in the cache, writing
//! a call down before it is made.
//! A plain loop each; nanoseconds a call, the best of five runs.
//!
//! `cargo bench -p keyway-proxy --bench warm`

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

#[expect(dead_code, unused_imports, reason = "the proxy and its tests use all of it")]
#[path = "../src/warm.rs"]
mod warm;

#[expect(dead_code, reason = "the proxy and its tests use all of it")]
#[path = "../src/ledger/found.rs"]
mod found;

#[expect(dead_code, reason = "the proxy and its tests use all of it")]
#[path = "../src/ledger/under_way.rs"]
mod under_way;

use std::{hint::black_box, path::Path, time::Instant};

use anyhow::{Context as _, Result};
use keyway_domain::{
    CredentialSource, IntegrationId, ProjectId, RequestId, SecretId, TenantId, Timestamp, VirtualKeyId,
};
use keyway_vault::token::VirtualKeyToken;
use keyway_vault::{Keyring, Vault};
use under_way::{Admission, UnderWay};
use uuid::Uuid;
use warm::{Loaded, WarmCache};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const CALLS: u32 = 200_000;
const RUNS: usize = 5;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let keys = Vault::open(Keyring::generate()?).new_data_key(TenantId::new())?.keys;
    let (id, secret) = (SecretId::new(), "sk-proj-0123456789".repeat(9));
    let envelope = keys.seal(id, 1, secret.as_bytes())?;
    report("envelope: seal 162 bytes", || drop(black_box(keys.seal(id, 1, black_box(secret.as_bytes())))));
    report("envelope: open 162 bytes", || drop(black_box(keys.open(id, 1, black_box(&envelope)))));
    let token = VirtualKeyToken::generate().context("no random bytes")?;
    report("virtual key: checksum and SHA-256", || {
        black_box((VirtualKeyToken::is_well_formed(black_box(token.plain())), token.sha256()));
    });
    let cache: WarmCache<[u8; 32], u64> = WarmCache::new("bench", 10_000);
    let hashes: Vec<[u8; 32]> = (0..1000_u64)
        .map(|at| [at.to_be_bytes(), [7; 8], [9; 8], at.to_le_bytes()].concat().try_into().unwrap_or_default())
        .collect();
    for (at, hash) in hashes.iter().enumerate() {
        let value = Loaded::present(at as u64, Uuid::now_v7());
        cache.get(hash, async { Ok::<_, std::convert::Infallible>(value) }).await?;
    }
    let (mut at, now) = (0, Instant::now());
    report("cache: hit among 1,000 entries", || {
        at = (at + 1) % hashes.len();
        black_box(cache.peek(&hashes[at], now));
    });
    write_down()
}

/// Measures writing a call down before its provider is called, which ends in the kernel's memory.
fn write_down() -> Result<()> {
    let calls = UnderWay::create(Path::new(env!("CARGO_TARGET_TMPDIR")))?;
    let admission = Admission {
        tenant_id: TenantId::new(),
        request_id: RequestId::new(),
        project_id: ProjectId::new(),
        virtual_key_id: VirtualKeyId::new(),
        served_by: keyway_domain::ServedBy::Integration(IntegrationId::new()),
        credential: CredentialSource::Own,
        provider: "openai".into(),
        model: Some("gpt-4o-mini".into()),
        path: "/v1/chat/completions".into(),
        started_at: Timestamp::now(),
        attempts: 1,
    };
    report("call: written down before it is made", || {
        drop(black_box(calls.place().map(|place| place.write(black_box(&admission)))));
    });
    calls.remove();
    Ok(())
}

fn report(name: &str, mut call: impl FnMut()) {
    let mut best = f64::INFINITY;
    for _ in 0..RUNS {
        let start = Instant::now();
        for _ in 0..CALLS {
            call();
        }
        best = best.min(start.elapsed().as_secs_f64() * 1e9 / f64::from(CALLS));
    }
    println!("{name:<36} {best:>8.0} ns");
}
