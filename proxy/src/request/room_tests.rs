//! The room: shares of keys and tenants, and bodies that give way.

use bytes::Bytes;
use futures::channel::mpsc;
use http_body_util::{Full, StreamBody};
use hyper::body::Frame;
use keyway_domain::{TenantId, VirtualKeyId};

use super::*;
use crate::request::intake::Source;

type Slow = StreamBody<mpsc::UnboundedReceiver<Result<Frame<Bytes>, std::io::Error>>>;

fn payers<const N: usize>() -> [Payer; N] {
    let tenant = TenantId::new();
    std::array::from_fn(|_| Payer::of_ids(tenant.uuid(), VirtualKeyId::new().uuid()))
}

fn whole(bytes: usize, payer: Payer) -> Source<Full<Bytes>> {
    Source::new(Full::new(vec![b'x'; bytes].into()), payer)
}

#[tokio::test]
async fn bodies_share_the_room_until_they_are_sent() {
    let ([a], [b], [c]) = (payers(), payers(), payers());
    let room = Room::new(8, 10);
    let mut first = whole(6, a);
    assert_eq!(room.read(&mut first).await.unwrap(), "xxxxxx");
    let refused = room.read(&mut whole(6, b)).await.unwrap_err();
    assert_eq!((refused.code(), room.0.whole.used.load(Relaxed)), (Code::BodiesFull, 6));
    assert_eq!(room.read(&mut whole(4, c)).await.unwrap(), "xxxx");
    drop(first);
    assert_eq!(room.read(&mut whole(8, b)).await.unwrap().len(), 8);
    assert_eq!(room.read(&mut whole(9, b)).await.unwrap_err().code(), Code::BodyTooLarge);
    assert_eq!(room.0.whole.used.load(Relaxed), 0);
}

#[tokio::test]
async fn a_key_has_half_and_a_tenant_three_quarters() {
    let ([key, beside], [stranger]) = (payers(), payers());
    let room = Room::new(4, 16);
    let mut held = Vec::new();
    for (payer, expected) in [(key, 2), (beside, 1), (stranger, 1), (stranger, 0), (key, 0)] {
        let mut taken = 0;
        while taken < 2 {
            let mut body = whole(4, payer);
            if room.read(&mut body).await.is_err() {
                break;
            }
            held.push(body);
            taken += 1;
        }
        assert_eq!(taken, expected, "{payer:?}");
    }
    drop(held);
    assert!(room.read(&mut whole(4, key)).await.is_ok());
}

#[tokio::test]
async fn the_slowest_gives_way_and_a_fast_one_never() {
    let ([slow, fast], [other]) = (payers(), payers());
    let room = Room::new(8 << 20, 8 << 20);
    let begin = |payer, bytes: usize| {
        let (send, receive) = mpsc::unbounded();
        send.unbounded_send(Ok(Frame::data(vec![b'x'; bytes].into()))).unwrap();
        let mut source: Source<Slow> = Source::new(StreamBody::new(receive), payer);
        let room = room.clone();
        let read = async move { room.read(&mut source).await.map(|body| body.len()) };
        let reading = keyway_telemetry::spawn("body under test", read);
        (send, reading)
    };
    let (_open, slowest) = begin(slow, 1 << 10);
    let (_open, slower) = begin(slow, 2 << 10);
    let (rest, quick) = begin(fast, 6 << 20);
    tokio::time::sleep(GRACE).await;
    let used = || room.0.whole.used.load(Relaxed);
    // Two mebibytes are left but for the two slow ones.
    assert!(room.read(&mut whole((2 << 20) - 2048, other)).await.is_ok());
    let refused = slowest.await.unwrap().unwrap_err();
    assert_eq!((refused.code(), used()), (Code::BodiesFull, (6 << 20) + 2048), "{refused:?}");
    assert!(!slower.is_finished() && !quick.is_finished());
    // Nor would both be enough.
    assert!(room.read(&mut whole(3 << 20, other)).await.is_err());
    assert!(slower.await.unwrap().is_err() && !quick.is_finished());
    rest.unbounded_send(Ok(Frame::data("x".into()))).unwrap();
    drop(rest);
    assert_eq!(quick.await.unwrap().unwrap(), (6 << 20) + 1);
    assert_eq!(used(), 0);
}
