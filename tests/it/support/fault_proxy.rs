//! A TCP proxy that breaks connections in the ways networks do.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What the proxy does to every connection, old and new, from the moment it is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Passes everything.
    None,
    /// Each piece read waits this long before it is passed on, in both directions.
    Latency(Duration),
    /// Passes this many more bytes from the client on each connection, then resets it.
    CutAfterFromClient(usize),
    /// Passes this many more bytes from the server on each connection, then resets it.
    CutAfterFromServer(usize),
    /// Reads and passes nothing on: both sides see a connection that is silent.
    Blackhole,
    /// Swallows only what the server sends: commands arrive, answers do not.
    BlackholeFromServer,
    /// Reads nothing, so that the kernels' buffers fill and both sides see a peer that does not read.
    StopReading,
    /// Resets what is opened. (What is open already is reset by setting it.)
    Reset,
}

/// Which end the bytes come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Client,
    Server,
}

impl Fault {
    /// How many bytes from `source` pass on a connection after this was set.
    fn allowance(self, source: Source) -> usize {
        match (self, source) {
            (Self::CutAfterFromClient(bytes), Source::Client) | (Self::CutAfterFromServer(bytes), Source::Server) => {
                bytes
            }
            _ => usize::MAX,
        }
    }

    fn swallows(self, source: Source) -> bool {
        self == Self::Blackhole || (self == Self::BlackholeFromServer && source == Source::Server)
    }
}

/// What holds now. The counters tell a change from its value: a reset that was lifted at once has happened.
#[derive(Debug, Clone, Copy)]
struct State {
    fault: Fault,
    changes: u64,
    resets: u64,
}

/// A connection that ends with RST.
struct Broken;

/// A listener in front of one address. Ends with its owner, and all its connections with it.
pub struct FaultProxy {
    address: SocketAddr,
    state: watch::Sender<State>,
    _accepting: JoinSet<()>,
}

impl FaultProxy {
    /// Listens on a port of its own and passes everything to `target`.
    pub async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a loopback port");
        let address = listener.local_addr().expect("it is bound");
        let state = watch::Sender::new(State { fault: Fault::None, changes: 0, resets: 0 });
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, target, state.subscribe()));
        Self { address, state, _accepting: accepting }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on.
    pub fn set(&self, fault: Fault) {
        self.state.send_modify(|state| {
            *state =
                State { fault, changes: state.changes + 1, resets: state.resets + u64::from(fault == Fault::Reset) };
        });
    }

    /// Resets what is open now; what is opened later passes.
    pub fn reset_open(&self) {
        self.set(Fault::Reset);
        self.set(Fault::None);
    }
}

async fn accept(listener: TcpListener, target: SocketAddr, state: watch::Receiver<State>) {
    let mut links = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((client, _)) = accepted {
                    links.spawn(link(client, target, state.clone()));
                }
            }
            Some(_) = links.join_next() => {}
        }
    }
}

/// Carries one connection until both ends are done, or breaks it.
async fn link(mut client: TcpStream, target: SocketAddr, state: watch::Receiver<State>) {
    let Ok(mut server) = TcpStream::connect(target).await else {
        client.set_zero_linger().ok();
        return;
    };
    client.set_nodelay(true).ok();
    server.set_nodelay(true).ok();
    let ended = {
        let (client_in, client_out) = client.split();
        let (server_in, server_out) = server.split();
        let upward = carry(Source::Client, client_in, server_out, state.clone());
        let downward = carry(Source::Server, server_in, client_out, state.clone());
        tokio::try_join!(upward, downward)
    };
    if ended.is_err() {
        // Closing with linger 0 sends RST instead of FIN.
        client.set_zero_linger().ok();
        server.set_zero_linger().ok();
    }
}

/// Passes bytes one way, and its end as an end.
async fn carry(
    source: Source,
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut state: watch::Receiver<State>,
) -> Result<(), Broken> {
    let mut buffer = vec![0; 16 << 10];
    let first = *state.borrow();
    let (mut changes, mut left) = (first.changes, first.fault.allowance(source));
    loop {
        let now = *state.borrow_and_update();
        if now.changes != changes {
            (changes, left) = (now.changes, now.fault.allowance(source));
        }
        if left == 0 || now.resets != first.resets || now.fault == Fault::Reset {
            return Err(Broken);
        }
        let reading = now.fault != Fault::StopReading;
        let read = tokio::select! {
            biased;
            changed = state.changed() => { changed.map_err(|_| Broken)?; continue }
            read = from.read(&mut buffer), if reading => read.map_err(|_| Broken)?,
        };
        if read == 0 {
            return to.shutdown().await.map_err(|_| Broken);
        }
        if let Fault::Latency(by) = now.fault {
            tokio::time::sleep(by).await;
        }
        if !now.fault.swallows(source) {
            to.write_all(&buffer[..read.min(left)]).await.map_err(|_| Broken)?;
            left = left.saturating_sub(read);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that sends everything back.
    async fn echo() -> (SocketAddr, JoinSet<()>) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                open.spawn(async move {
                    let (mut from, mut to) = stream.split();
                    tokio::io::copy(&mut from, &mut to).await.ok();
                });
            }
        });
        (address, tasks)
    }

    async fn said_and_heard(stream: &mut TcpStream, text: &[u8]) -> std::io::Result<Vec<u8>> {
        stream.write_all(text).await?;
        let mut heard = vec![0; text.len()];
        stream.read_exact(&mut heard).await?;
        Ok(heard)
    }

    #[tokio::test]
    async fn what_is_open_can_be_reset_while_what_is_opened_later_passes() {
        let (server, _tasks) = echo().await;
        let proxy = FaultProxy::to(server).await;
        let mut open = TcpStream::connect(proxy.address()).await.unwrap();
        assert_eq!(said_and_heard(&mut open, b"one").await.unwrap(), b"one");
        proxy.reset_open();
        assert!(said_and_heard(&mut open, b"two").await.is_err());
        let mut later = TcpStream::connect(proxy.address()).await.unwrap();
        assert_eq!(said_and_heard(&mut later, b"three").await.unwrap(), b"three");
    }

    #[tokio::test]
    async fn a_cut_passes_exactly_the_bytes_it_allows() {
        let (server, _tasks) = echo().await;
        let proxy = FaultProxy::to(server).await;
        proxy.set(Fault::CutAfterFromServer(4));
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        stream.write_all(b"123456").await.unwrap();
        let mut heard = Vec::new();
        while let Ok(byte) = stream.read_u8().await {
            heard.push(byte);
        }
        assert_eq!(heard, b"1234");
    }

    #[tokio::test]
    async fn a_silent_direction_stays_silent_until_it_is_lifted() {
        let (server, _tasks) = echo().await;
        let proxy = FaultProxy::to(server).await;
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        proxy.set(Fault::StopReading);
        stream.write_all(b"held").await.unwrap();
        let mut heard = [0; 4];
        let early = tokio::time::timeout(Duration::from_millis(50), stream.read_exact(&mut heard)).await;
        assert!(early.is_err(), "nothing passes while the proxy does not read");
        proxy.set(Fault::None);
        stream.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"held");
    }
}
