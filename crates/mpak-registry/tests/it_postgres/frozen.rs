//! PostgreSQL freezes, or the way to it swallows everything, and no connection ends: nobody waits for ever,
//! and everything goes on afterwards.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mpak_registry::config::{Database, Secret};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::replicas::{Replica, Site, within};
use crate::world::bundle;

/// Longest wait for an answer: a connection, a statement, and the write turn before them.
const BOUND: Duration = Duration::from_secs(45);

/// What happens to what is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// It comes through.
    Open,
    /// It waits.
    Frozen,
}

/// A way to the database that can be frozen.
struct Gate {
    address: SocketAddr,
    way: watch::Sender<Way>,
    /// Connections that were opened before this one are never heard of again.
    since: watch::Sender<u64>,
}

impl Gate {
    async fn to(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (way, since) = (watch::Sender::new(Way::Open), watch::Sender::new(0));
        let seen = (way.subscribe(), since.subscribe());
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let (way, since) = seen.clone();
                let own = *since.borrow();
                tokio::spawn(async move {
                    // A frozen server's system accepts connections all the same.
                    let far = TcpStream::connect(upstream).await.unwrap();
                    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
                    let gates = (Pass { way: way.clone(), since: since.clone(), own }, Pass { way, since, own });
                    tokio::select! {
                        () = gates.0.all(near_in, far_out) => {}
                        () = gates.1.all(far_in, near_out) => {}
                    }
                });
            }
        });
        Self { address, way, since }
    }

    fn set(&self, way: Way) {
        self.way.send_replace(way);
    }

    /// Swallows what is sent on connections that are open, for ever; new ones come through.
    fn swallow(&self) {
        self.since.send_modify(|since| *since += 1);
    }
}

struct Pass {
    way: watch::Receiver<Way>,
    since: watch::Receiver<u64>,
    own: u64,
}

impl Pass {
    async fn all(mut self, mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) {
        let mut piece = vec![0; 16 << 10];
        loop {
            let Ok(count @ 1..) = from.read(&mut piece).await else { return };
            if self.way.wait_for(|way| *way == Way::Open).await.is_err() {
                return;
            }
            if *self.since.borrow() > self.own {
                continue;
            }
            if to.write_all(&piece[..count]).await.is_err() {
                return;
            }
        }
    }
}

async fn site() -> (Site, Gate, Replica, String) {
    let site = Site::new();
    let url = url::Url::parse(&site.database.url()).unwrap();
    let upstream = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap()).parse().unwrap();
    let gate = Gate::to(upstream).await;
    let through = {
        let mut through = url;
        through.set_port(Some(gate.address.port())).unwrap();
        through.to_string()
    };
    let replica = site.replica_with(|config| config.database = Database::Postgres(Secret::new(&through))).await;
    let token = replica.first_token().unwrap();
    let sent = replica.put(&token, "@acme/widget", "1.0.0", bundle("@acme/widget", "1.0.0")).send().await.unwrap();
    assert_eq!(sent.status(), 201);
    (site, gate, replica, token)
}

/// Publishes and reads at once, each answered by a clear 503 within bounds.
async fn refused(replica: &Replica, token: &str) {
    let began = Instant::now();
    let publish = async |n: usize| {
        let name = format!("@acme/p{n}");
        let sent = replica.put(token, &name, "1.0.0", bundle(&name, "1.0.0")).send().await.unwrap();
        (sent.status().as_u16(), sent.text().await.unwrap())
    };
    // What is not known here may be in the database.
    let read = async |_| {
        let (status, body) = replica.get("/v1/bundles/@acme/unknown").await;
        (status, body.to_string())
    };
    let ready = async || replica.get("/ready").await;
    let (publishes, reads, ready) = tokio::join!(
        futures_util::future::join_all((0..6).map(publish)),
        futures_util::future::join_all((0..40).map(read)),
        ready()
    );
    for (status, body) in publishes.iter().chain(&reads) {
        assert!(*status == 503 && body.contains("SERVICE_UNAVAILABLE"), "{status}: {body}");
    }
    assert_eq!(ready.0, 503, "{}", ready.1);
    assert!(began.elapsed() < BOUND, "{:?}", began.elapsed());
    assert_eq!(replica.get("/health").await.0, 200, "the process itself answers");
    assert_eq!(replica.get("/v1/bundles/search").await.1["total"], 1, "search needs no database");
    assert_eq!(replica.get("/v1/bundles/@acme/widget").await.0, 200, "what is known needs no database");
}

/// All of it works again, by itself.
async fn recovers(site: &Site, replica: &Replica, token: &str) {
    let back = within(Duration::from_secs(30), async || (replica.get("/ready").await.0 == 200).then_some(()));
    assert!(back.await.is_some(), "ready without a restart");
    for n in 0..6 {
        let name = format!("@acme/p{n}");
        let published = within(Duration::from_secs(30), async || {
            let sent = replica.put(token, &name, "1.0.0", bundle(&name, "1.0.0")).send().await.unwrap();
            [200, 201].contains(&sent.status().as_u16()).then_some(())
        });
        assert!(published.await.is_some(), "{name}");
    }
    for _ in 0..40 {
        let read = within(Duration::from_secs(30), async || {
            (replica.get("/v1/bundles/@acme/widget").await.0 == 200).then_some(())
        });
        assert!(read.await.is_some());
    }
    assert_eq!(site.database.number("SELECT count(*) FROM artifacts"), 7, "nothing is lost or doubled");
    assert_eq!(site.database.number("SELECT count(*) FROM events WHERE kind = 'artifact_published'"), 7);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_database_is_told_as_503_and_thaws() {
    let (site, gate, replica, token) = site().await;
    gate.set(Way::Frozen);
    refused(&replica, &token).await;
    gate.set(Way::Open);
    recovers(&site, &replica, &token).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_never_heard_of_again_are_replaced() {
    let (site, gate, replica, token) = site().await;
    // Everything that is open is lost, and the first who notice are told so.
    gate.set(Way::Frozen);
    gate.swallow();
    refused(&replica, &token).await;
    gate.set(Way::Open);
    gate.swallow();
    recovers(&site, &replica, &token).await;
}
