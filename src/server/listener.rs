//! Connections: a bounded number, and none that lingers.
//!
//! A connection without a request in work has one timeout to send the next one's head, however slowly its bytes drip,
//! and to take what was answered; and that head is bounded, so that many of them do not fill the memory. While a request
//! is in work, its own deadline counts ([`super::guard::pass`]).

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};

/// Connections per request in work: browsers keep some open, of which most are idle.
const CONNECTIONS_PER_REQUEST: usize = 4;
/// Most bytes of a head, request line included, and of what is sent along with it: browsers and proxies stay below 16
/// KiB. 1,024 connections (4 for each of 256 requests) that each hold one take 64 MiB.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// Accepts while there is room.
pub(super) struct Bounded {
    listener: TcpListener,
    room: Arc<Semaphore>,
    timeout: Duration,
}

/// What a request knows of its connection.
#[derive(Debug, Clone)]
pub(super) struct Connection {
    /// The other end.
    pub(super) peer: SocketAddr,
    /// Its requests.
    pub(super) work: Arc<Work>,
}

/// The requests of a connection.
#[derive(Debug, Default)]
pub(super) struct Work {
    in_hand: AtomicUsize,
    begun: AtomicUsize,
}

/// A request in work, for as long as this lives.
pub(super) struct Busy(Arc<Work>);

impl Busy {
    pub(super) fn begin(work: &Arc<Work>) -> Self {
        work.in_hand.fetch_add(1, Ordering::Release);
        work.begun.fetch_add(1, Ordering::Release);
        Self(Arc::clone(work))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.in_hand.fetch_sub(1, Ordering::Release);
    }
}

/// A connection that fails once it has been idle for too long.
pub(super) struct Io {
    stream: TcpStream,
    work: Arc<Work>,
    /// Requests that were begun when this was last looked at.
    begun: usize,
    /// Whether a request has begun since the timer was set.
    was_busy: bool,
    /// Bytes that came since the last request began.
    head_bytes: usize,
    timeout: Duration,
    timer: Pin<Box<Sleep>>,
    _room: Option<OwnedSemaphorePermit>,
}

impl Bounded {
    pub(super) fn new(listener: TcpListener, requests_max: usize, timeout: Duration) -> Self {
        let room = Arc::new(Semaphore::new(requests_max.saturating_mul(CONNECTIONS_PER_REQUEST)));
        Self { listener, room, timeout }
    }
}

impl Listener for Bounded {
    type Io = Io;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Io, SocketAddr) {
        // The semaphore is never closed; without a permit the connection would merely not be counted.
        let room = Arc::clone(&self.room).acquire_owned().await.ok();
        let (stream, peer) = Listener::accept(&mut self.listener).await;
        let io = Io {
            stream,
            work: Arc::default(),
            begun: 0,
            was_busy: false,
            head_bytes: 0,
            timeout: self.timeout,
            timer: Box::pin(tokio::time::sleep(self.timeout)),
            _room: room,
        };
        (io, peer)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl Connected<IncomingStream<'_, Bounded>> for Connection {
    fn connect_info(stream: IncomingStream<'_, Bounded>) -> Self {
        Self { peer: *stream.remote_addr(), work: Arc::clone(&stream.io().work) }
    }
}

impl Io {
    /// Fails when the connection has been idle for the timeout; wakes the task then.
    fn check(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        let begun = self.work.begun.load(Ordering::Acquire);
        if std::mem::replace(&mut self.begun, begun) != begun {
            self.was_busy = true;
            self.head_bytes = 0;
        }
        if self.is_busy() {
            return Ok(());
        }
        if std::mem::take(&mut self.was_busy) {
            self.timer.as_mut().reset(Instant::now() + self.timeout);
        }
        match self.timer.as_mut().poll(context) {
            Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(()),
        }
    }

    fn is_busy(&self) -> bool {
        self.work.in_hand.load(Ordering::Acquire) > 0
    }

    /// Reads no more than a head may have.
    fn read_head(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let left = HEAD_BYTES_MAX.saturating_sub(self.head_bytes);
        if left == 0 {
            return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
        }
        let room = left.min(buffer.remaining());
        let mut part = ReadBuf::new(buffer.initialize_unfilled_to(room));
        let polled = Pin::new(&mut self.stream).poll_read(context, &mut part);
        let count = part.filled().len();
        buffer.advance(count);
        self.head_bytes += count;
        polled
    }

    fn checked<T>(&mut self, context: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_pending() {
            self.check(context)?;
        }
        polled
    }
}

impl AsyncRead for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // Also where bytes are there: they may come one by one for ever.
        self.check(context)?;
        if self.is_busy() {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        self.read_head(context, buffer)
    }
}

impl AsyncWrite for Io {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.checked(context, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.checked(context, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
