//! Connections: a bounded number, and none that lingers.
//!
//! A connection without a request in work has one timeout to send the next one's head, however slowly its bytes drip,
//! and to take what was answered. While a request is in work, its own deadline counts ([`super::guard::deadline`]).

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
    /// Requests in work on it.
    pub(super) busy: Arc<AtomicUsize>,
}

/// A connection that fails once it has been idle for too long.
pub(super) struct Io {
    stream: TcpStream,
    busy: Arc<AtomicUsize>,
    was_busy: bool,
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
            busy: Arc::new(AtomicUsize::new(0)),
            was_busy: false,
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
        Self { peer: *stream.remote_addr(), busy: Arc::clone(&stream.io().busy) }
    }
}

impl Io {
    /// Fails when the connection has been idle for the timeout; wakes the task then.
    fn check(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if self.busy.load(Ordering::Acquire) > 0 {
            self.was_busy = true;
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
        Pin::new(&mut self.stream).poll_read(context, buffer)
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
