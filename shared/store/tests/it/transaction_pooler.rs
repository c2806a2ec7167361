//! A minimal pooler in transaction mode: every client shares one session of the server, a transaction at a time. It
//! handles simple queries only.

use std::{net::SocketAddr, sync::Arc};

use anyhow::Result;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Mutex,
};

const SSL_REQUEST: i32 = 80_877_103;
/// Message of a server that waits for the next statement, outside of a transaction.
const IDLE: (u8, &[u8]) = (b'Z', b"I");

/// The one session with the server, and the messages at its start; `None` during a transaction.
type Kept = Arc<Mutex<Option<(TcpStream, Vec<u8>)>>>;

/// Starts one in front of a server that trusts everybody; it ends with the test's runtime.
pub(crate) async fn start(server: SocketAddr) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let session = Kept::default();
    #[expect(clippy::disallowed_methods, reason = "the testkit does not depend on keyway-telemetry")]
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(serve(client, server, Arc::clone(&session)));
        }
    });
    Ok(address)
}

async fn serve(mut client: TcpStream, server: SocketAddr, session: Kept) -> Result<()> {
    let mut hello = startup(&mut client).await?;
    if hello[4..8] == SSL_REQUEST.to_be_bytes() {
        client.write_all(b"N").await?;
        hello = startup(&mut client).await?;
    }
    let mut held = session.lock().await;
    if held.is_none() {
        let mut server = TcpStream::connect(server).await?;
        server.write_all(&hello).await?;
        let (mut welcome, mut ready) = (Vec::new(), false);
        while !ready {
            let (kind, body) = message(&mut server, &mut welcome).await?;
            ready = (kind, body.as_slice()) == IDLE;
        }
        *held = Some((server, welcome));
    }
    if let Some((_, welcome)) = held.as_ref() {
        client.write_all(welcome).await?;
    }
    drop(held);
    loop {
        // The session is this client's from its first statement until it is out of its transaction.
        let mut statement = Vec::new();
        if message(&mut client, &mut statement).await?.0 == b'X' {
            return Ok(());
        }
        let mut held = session.lock().await;
        let Some((server, _)) = held.as_mut() else { return Ok(()) };
        loop {
            server.write_all(&statement).await?;
            let mut answer = Vec::new();
            let last = loop {
                let (kind, body) = message(server, &mut answer).await?;
                if kind == b'Z' {
                    break (kind, body);
                }
            };
            client.write_all(&answer).await?;
            if (last.0, last.1.as_slice()) == IDLE {
                break;
            }
            statement.clear();
            message(&mut client, &mut statement).await?;
        }
    }
}

async fn startup(client: &mut TcpStream) -> Result<Vec<u8>> {
    let mut bytes = vec![0; 4];
    client.read_exact(&mut bytes).await?;
    let length = usize::try_from(i32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))?;
    bytes.resize(length, 0);
    client.read_exact(&mut bytes[4..]).await?;
    Ok(bytes)
}

/// Reads a message: its kind and body. The bytes are added to what was read before.
async fn message(from: &mut TcpStream, read: &mut Vec<u8>) -> Result<(u8, Vec<u8>)> {
    let mut head = [0; 5];
    from.read_exact(&mut head).await?;
    let length = usize::try_from(i32::from_be_bytes([head[1], head[2], head[3], head[4]]))?;
    let mut body = vec![0; length - 4];
    from.read_exact(&mut body).await?;
    read.extend_from_slice(&head);
    read.extend_from_slice(&body);
    Ok((head[0], body))
}
