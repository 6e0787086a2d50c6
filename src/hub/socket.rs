//! A TCP connection that takes one of the hub's places for as long as it lives, also once upgraded.

use core::pin::Pin;
use core::task::{Context, Poll};
use std::io;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// The places for connections.
#[derive(Debug)]
pub(super) struct Places {
    /// One reference for each place that is taken, besides this one.
    taken: Arc<()>,
    all: usize,
}

/// A place that is taken, until dropped.
#[derive(Debug)]
pub(super) struct Place {
    _taken: Arc<()>,
}

impl Places {
    pub(super) fn new(all: usize) -> Self {
        Self { taken: Arc::new(()), all }
    }

    /// A place, if one is free. Only the one who accepts asks, so that none is given away twice.
    pub(super) fn take(&self) -> Option<Place> {
        (Arc::strong_count(&self.taken) <= self.all).then(|| Place { _taken: self.taken.clone() })
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Socket {
    tcp: TcpStream,
    _place: Place,
}

impl Socket {
    pub(super) fn new(tcp: TcpStream, place: Place) -> Self {
        Self { tcp, _place: place }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_free_again_when_dropped() {
        let places = Places::new(2);
        let (one, two) = (places.take(), places.take());
        assert!(one.is_some() && two.is_some() && places.take().is_none());
        drop(one);
        let again = places.take();
        assert!(again.is_some() && places.take().is_none());
    }
}
