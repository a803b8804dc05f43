//! A TCP proxy between the processor and its broker, which a test disturbs while both work.
//!
//! It knows Kafka's framing (a size of four bytes before every request and answer), so that it can
//! act at the moment a certain request passes. Holds: what is forwarded is forwarded whole and in
//! order, unless the connection is cut.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::{sleep, spawn},
    time::{Duration, Instant},
};

use testkit::Process;

/// Requests as the header names them.
pub(crate) const PRODUCE: i16 = 0;
pub(crate) const ADD_OFFSETS_TO_TXN: i16 = 25;
pub(crate) const END_TXN: i16 = 26;
pub(crate) const TXN_OFFSET_COMMIT: i16 = 28;

/// Frames under way in one direction of a connection; more wait in the sender's socket.
const FRAMES: usize = 256;

/// Bytes that a throttled connection sends at once.
const CHUNK: usize = 4 * 1024;

/// When a trap cuts: the broker has not seen the request, or it has done it and nobody knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    Before,
    After,
}

/// Cuts all connections when a request of this kind passes, and lets no new one in for a while.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trap {
    pub(crate) request: i16,
    pub(crate) when: When,
    pub(crate) outage: Duration,
    /// How often it does so.
    pub(crate) times: u32,
}

#[derive(Debug, Default)]
struct Rules {
    delay: Duration,
    bytes_per_second: Option<u64>,
    half_open: bool,
    refuse_until: Option<Instant>,
    trap: Option<Trap>,
    /// When the throttled line is free again, per direction.
    free_at: [Option<Instant>; 2],
    open: Vec<[TcpStream; 2]>,
}

#[derive(Debug, Default)]
struct Shared {
    rules: Mutex<Rules>,
    ended: AtomicBool,
    cut: AtomicU64,
    refused: AtomicU64,
    sprung: AtomicU64,
    passed_bytes: AtomicU64,
    swallowed_bytes: AtomicU64,
}

/// The proxy. Ends with all its connections when dropped.
#[derive(Debug)]
pub(crate) struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

impl Proxy {
    /// Listens on a free port, and connects to `upstream` for each client that comes.
    pub(crate) fn new(upstream: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        listener.set_nonblocking(true).expect("a socket can be made non-blocking");
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        spawn(move || accept(&listener, upstream, &of_thread));
        Self { port, shared }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Cuts every connection now.
    pub(crate) fn cut(&self) {
        self.shared.cut(Duration::ZERO);
    }

    /// Cuts every connection now, and every new one for this long.
    pub(crate) fn cut_for(&self, outage: Duration) {
        self.shared.cut(outage);
    }

    /// Each direction takes this long from now on.
    pub(crate) fn delay(&self, delay: Duration) {
        self.shared.rules().delay = delay;
    }

    /// All connections together get no more than this in each direction.
    pub(crate) fn throttle(&self, bytes_per_second: Option<u64>) {
        self.shared.rules().bytes_per_second = bytes_per_second;
    }

    /// Swallows what comes, on old and new connections, and keeps them.
    pub(crate) fn half_open(&self, on: bool) {
        self.shared.rules().half_open = on;
    }

    pub(crate) fn arm(&self, trap: Trap) {
        self.shared.rules().trap = Some(trap);
    }

    /// How often a trap has cut.
    pub(crate) fn sprung(&self) -> u64 {
        self.shared.sprung.load(Ordering::SeqCst)
    }

    pub(crate) fn wait_sprung(&self, times: u64, process: &Process) {
        process.until("a sprung trap", || (self.sprung() >= times).then_some(()));
    }

    /// Connections that were cut while they were open.
    pub(crate) fn cut_connections(&self) -> u64 {
        self.shared.cut.load(Ordering::SeqCst)
    }

    /// Connections that were not let in.
    pub(crate) fn refused_connections(&self) -> u64 {
        self.shared.refused.load(Ordering::SeqCst)
    }

    /// Bytes forwarded, both directions together.
    pub(crate) fn passed_bytes(&self) -> u64 {
        self.shared.passed_bytes.load(Ordering::SeqCst)
    }

    /// Bytes that went nowhere on connections that stayed.
    pub(crate) fn swallowed_bytes(&self) -> u64 {
        self.shared.swallowed_bytes.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        self.shared.cut(Duration::ZERO);
    }
}

impl Shared {
    fn rules(&self) -> MutexGuard<'_, Rules> {
        self.rules.lock().expect("no panic while it is held")
    }

    fn cut(&self, outage: Duration) {
        let mut rules = self.rules();
        rules.refuse_until = Some(Instant::now() + outage);
        for sockets in rules.open.drain(..) {
            self.cut.fetch_add(1, Ordering::SeqCst);
            for socket in sockets {
                // Fails when the other side has closed it already.
                let _ = socket.shutdown(Shutdown::Both);
            }
        }
    }

    /// The trap, if this request springs it.
    fn springs(&self, frame: &[u8]) -> Option<Trap> {
        let trap = self.rules().trap?;
        let is_it = trap.times > 0 && frame.get(4..6)? == trap.request.to_be_bytes();
        is_it.then_some(trap)
    }

    /// Of several such requests under way at once, the first one cuts for all.
    fn spring(&self, trap: Trap) {
        if let Some(armed) = &mut self.rules().trap {
            armed.times = armed.times.saturating_sub(1);
        }
        self.cut(trap.outage);
        self.sprung.fetch_add(1, Ordering::SeqCst);
    }

    /// When these bytes may go, in direction 0 or 1.
    fn slot(&self, direction: usize, bytes: usize) -> Option<Instant> {
        let mut rules = self.rules();
        let rate = rules.bytes_per_second?;
        let now = Instant::now();
        let from = rules.free_at[direction].map_or(now, |at| at.max(now));
        let until = from + Duration::from_secs_f64(bytes as f64 / rate as f64);
        rules.free_at[direction] = Some(until);
        Some(until)
    }
}

fn accept(listener: &TcpListener, upstream: u16, shared: &Arc<Shared>) {
    while !shared.ended.load(Ordering::SeqCst) {
        let Ok((client, _)) = listener.accept() else {
            sleep(Duration::from_millis(5));
            continue;
        };
        let mut rules = shared.rules();
        if rules.refuse_until.is_some_and(|until| Instant::now() < until) {
            shared.refused.fetch_add(1, Ordering::SeqCst);
            continue;
        }
        // Without a broker the client's connection ends as well.
        if let Ok(broker) = TcpStream::connect(("127.0.0.1", upstream)) {
            rules.open.push(connect(client, broker, shared).expect("sockets can be cloned"));
        }
    }
}

/// Starts a connection's four threads; they end with its sockets.
fn connect(
    client: TcpStream,
    broker: TcpStream,
    shared: &Arc<Shared>,
) -> io::Result<[TcpStream; 2]> {
    client.set_nonblocking(false)?;
    client.set_nodelay(true)?;
    broker.set_nodelay(true)?;
    let kept = [client.try_clone()?, broker.try_clone()?];
    let trapped = Arc::new(Trapped { answer: AtomicI64::new(-1), trap: Mutex::new(None) });
    let ways = [(client.try_clone()?, broker.try_clone()?), (broker, client)];
    for (direction, (from, to)) in ways.into_iter().enumerate() {
        let (sender, receiver) = sync_channel(FRAMES);
        let way = Way { direction, shared: Arc::clone(shared), trapped: Arc::clone(&trapped) };
        let ends = [from.try_clone()?, to.try_clone()?];
        let writing = Way { trapped: Arc::clone(&trapped), shared: Arc::clone(shared), ..way };
        spawn(move || {
            // An end of one socket ends the other.
            let _ = way.read(from, &sender);
            close(&ends);
        });
        spawn(move || {
            let ends: Vec<_> = to.try_clone().into_iter().collect();
            let _ = writing.write(to, &receiver);
            close(&ends);
        });
    }
    Ok(kept)
}

fn close(sockets: &[TcpStream]) {
    for socket in sockets {
        let _ = socket.shutdown(Shutdown::Both);
    }
}

/// A request of this connection whose answer must not come through.
struct Trapped {
    /// Its correlation id; below zero: none.
    answer: AtomicI64,
    trap: Mutex<Option<Trap>>,
}

/// One direction of a connection: 0 carries requests, 1 answers.
struct Way {
    direction: usize,
    shared: Arc<Shared>,
    trapped: Arc<Trapped>,
}

impl Way {
    fn read(&self, mut from: TcpStream, queue: &SyncSender<(Instant, Vec<u8>)>) -> io::Result<()> {
        loop {
            let frame = read_frame(&mut from)?;
            let (delay, half_open) = {
                let rules = self.shared.rules();
                (rules.delay, rules.half_open)
            };
            if half_open {
                self.shared.swallowed_bytes.fetch_add(frame.len() as u64, Ordering::SeqCst);
                continue;
            }
            if self.is_cut(&frame) {
                return Ok(());
            }
            if queue.send((Instant::now() + delay, frame)).is_err() {
                return Ok(());
            }
        }
    }

    /// Whether this frame was the moment to cut.
    fn is_cut(&self, frame: &[u8]) -> bool {
        let number = |at: usize| {
            let bytes = frame.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
            bytes.map_or(-1, |bytes| i64::from(i32::from_be_bytes(bytes)))
        };
        if self.direction == 1 {
            if self.trapped.answer.load(Ordering::SeqCst) != number(4) {
                return false;
            }
            let trap = self.trapped.trap.lock().expect("no panic while it is held").take();
            self.shared.spring(trap.expect("a trapped answer has a trap"));
            return true;
        }
        match self.shared.springs(frame) {
            Some(trap) if trap.when == When::Before => {
                self.shared.spring(trap);
                true
            }
            Some(trap) => {
                *self.trapped.trap.lock().expect("no panic while it is held") = Some(trap);
                self.trapped.answer.store(number(8), Ordering::SeqCst);
                false
            }
            None => false,
        }
    }

    fn write(&self, mut to: TcpStream, queue: &Receiver<(Instant, Vec<u8>)>) -> io::Result<()> {
        for (due, frame) in queue {
            sleep(due.saturating_duration_since(Instant::now()));
            for chunk in frame.chunks(CHUNK) {
                if let Some(slot) = self.shared.slot(self.direction, chunk.len()) {
                    sleep(slot.saturating_duration_since(Instant::now()));
                }
                to.write_all(chunk)?;
                self.shared.passed_bytes.fetch_add(chunk.len() as u64, Ordering::SeqCst);
            }
        }
        Ok(())
    }
}

/// One request or answer, with its size in front.
fn read_frame(from: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut size = [0; 4];
    from.read_exact(&mut size)?;
    let mut frame = size.to_vec();
    frame.resize(4 + u32::from_be_bytes(size) as usize, 0);
    from.read_exact(&mut frame[4..])?;
    Ok(frame)
}
