//! The server's half of the WebSocket handshake: reads one HTTP request, upgrades it or says why not.

use core::time::Duration;
use std::collections::BTreeSet;
use std::io;

use async_net::TcpStream;
use async_tungstenite::WebSocketStream;
use async_tungstenite::tungstenite::Error;
use async_tungstenite::tungstenite::error::ProtocolError;
use async_tungstenite::tungstenite::handshake::machine::TryParse;
use async_tungstenite::tungstenite::handshake::server::{Request, create_response, write_response};
use async_tungstenite::tungstenite::protocol::Role;
use futures::future::select;
use futures::io::{AsyncReadExt, AsyncWriteExt};

use super::websocket_stream::{ByteStream, bounds};

/// Bytes of a request's head.
const HEAD_BYTES: usize = 8 * 1_024;
/// Bytes that a read of the head asks for.
const CHUNK_BYTES: usize = 1_024;
/// Bytes of a refused request's body that are read away before the connection goes.
const BODY_BYTES: u64 = 65_536;
/// How long that may take.
const LINGER: Duration = Duration::from_secs(1);

/// Which requests are upgraded.
#[derive(Clone)]
pub(super) struct Rules {
    /// The one path.
    pub(super) path: String,
    /// Origins of web pages that may connect. Any page can reach a port of the machine it is viewed on.
    pub(super) origins: BTreeSet<String>,
}

/// Why a request is not upgraded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    Malformed,
    Origin,
    Path,
    Method,
    NoUpgrade,
    TooLarge,
}

impl Refusal {
    /// Status line, a header that the status asks for, and what a human reads.
    fn answer(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Malformed => ("400 Bad Request", "", "This is not a WebSocket request."),
            Self::Origin => ("403 Forbidden", "", "Pages of this origin may not connect."),
            Self::Path => ("404 Not Found", "", "Nothing is here."),
            Self::Method => ("405 Method Not Allowed", "Allow: GET\r\n", "Only GET is answered."),
            Self::NoUpgrade => (
                "426 Upgrade Required",
                "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
                "This address speaks WebSocket, version 13.",
            ),
            Self::TooLarge => ("431 Request Header Fields Too Large", "", "The request is too large."),
        }
    }
}

/// Reads the request on `stream` and upgrades it. Nothing when it has been refused and answered.
pub(super) async fn upgrade(
    mut stream: TcpStream,
    rules: &Rules,
) -> io::Result<Option<WebSocketStream<ByteStream>>> {
    let (head, rest) = match read_head(&mut stream).await? {
        Ok(parts) => parts,
        Err(refusal) => return refuse(stream, refusal).await.map(|()| None),
    };
    match response(&head, rules) {
        Ok(response) => {
            stream.write_all(&response).await?;
            let stream = ByteStream::plain(stream);
            Ok(Some(WebSocketStream::from_partially_read(stream, rest, Role::Server, Some(bounds())).await))
        }
        Err(refusal) => refuse(stream, refusal).await.map(|()| None),
    }
}

/// The head of the request, and what came after it.
async fn read_head(stream: &mut TcpStream) -> io::Result<Result<(Vec<u8>, Vec<u8>), Refusal>> {
    const END: &[u8] = b"\r\n\r\n";
    let mut head = Vec::with_capacity(CHUNK_BYTES);
    let mut chunk = [0; CHUNK_BYTES];
    loop {
        let count = stream.read(&mut chunk).await?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        // The end may lie across two reads. Only new bytes are looked at: a head that comes byte by
        // byte must not cost more than its length.
        let from = head.len().saturating_sub(END.len());
        head.extend_from_slice(chunk.get(..count).unwrap_or_default());
        if !head.first().is_some_and(u8::is_ascii_uppercase) {
            return Ok(Err(Refusal::Malformed));
        }
        let end = head.get(from..).unwrap_or_default().windows(END.len()).position(|window| window == END);
        if let Some(end) = end {
            let rest = head.split_off(from.saturating_add(end).saturating_add(END.len()));
            return Ok(Ok((head, rest)));
        }
        if head.len() > HEAD_BYTES {
            return Ok(Err(Refusal::TooLarge));
        }
    }
}

/// The bytes that upgrade the connection. No extension is ever named in them.
fn response(head: &[u8], rules: &Rules) -> Result<Vec<u8>, Refusal> {
    let request = match Request::try_parse(head) {
        Ok(Some((_, request))) => request,
        Err(Error::Protocol(ProtocolError::WrongHttpMethod)) => return Err(Refusal::Method),
        Ok(None) | Err(_) => return Err(Refusal::Malformed),
    };
    if request.uri().path() != rules.path {
        return Err(Refusal::Path);
    }
    let mut origins = request.headers().get_all("Origin").iter();
    if !origins.all(|origin| origin.to_str().is_ok_and(|origin| rules.origins.contains(origin))) {
        return Err(Refusal::Origin);
    }
    let response = create_response(&request).map_err(|error| {
        let asks_for_none = matches!(
            error,
            Error::Protocol(
                ProtocolError::MissingConnectionUpgradeHeader
                    | ProtocolError::MissingUpgradeWebSocketHeader
                    | ProtocolError::MissingSecWebSocketVersionHeader,
            )
        );
        if asks_for_none { Refusal::NoUpgrade } else { Refusal::Malformed }
    })?;
    let mut bytes = Vec::new();
    write_response(&mut bytes, &response).map_err(|_| Refusal::Malformed)?;
    Ok(bytes)
}

/// Answers with an error that any HTTP client understands, and closes.
async fn refuse(mut stream: TcpStream, refusal: Refusal) -> io::Result<()> {
    let (status, header, text) = refusal.answer();
    let answer = format!(
        "HTTP/1.1 {status}\r\n{header}Connection: close\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{text}",
        text.len()
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.close().await?;
    // A body left unread would reset the connection, and with it the answer.
    let mut nowhere = futures::io::sink();
    let read_away = futures::io::copy(stream.take(BODY_BYTES), &mut nowhere);
    select(read_away, async_io::Timer::after(LINGER)).await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(head: &str) -> Option<Refusal> {
        let rules = Rules { path: "/sync".to_owned(), origins: ["https://app.example".to_owned()].into() };
        response(head.replace('\n', "\r\n").as_bytes(), &rules).err()
    }

    #[test]
    fn b7_requests_are_upgraded_or_refused_by_rule() {
        let upgrade = "Host: a\nConnection: keep-alive, Upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n";
        let get = |target: &str, more: &str| refusal(&format!("GET {target} HTTP/1.1\n{upgrade}{more}\n"));
        assert_eq!(get("/sync", ""), None);
        assert_eq!(get("/sync?token=1", "Origin: https://app.example\n"), None);
        assert_eq!(get("/sync", "Origin: https://other.example\n"), Some(Refusal::Origin));
        assert_eq!(get("/sync", "Origin: https://app.example\nOrigin: null\n"), Some(Refusal::Origin));
        assert_eq!(get("/sync/", ""), Some(Refusal::Path));
        assert_eq!(get("/", ""), Some(Refusal::Path));
        assert_eq!(refusal("GET /sync HTTP/1.1\nHost: a\n\n"), Some(Refusal::NoUpgrade));
        assert_eq!(refusal("POST /sync HTTP/1.1\nHost: a\n\n"), Some(Refusal::Method));
        assert_eq!(refusal("GET /sync HTTP/1.0\nHost: a\n\n"), Some(Refusal::Malformed));
        assert_eq!(refusal("PRI * HTTP/2.0\n\nSM\n\n"), Some(Refusal::Malformed));
        assert_eq!(
            refusal(&format!("GET /sync HTTP/1.1\n{}\n", "A: b\n".repeat(200))),
            Some(Refusal::Malformed)
        );
        let bad_key = upgrade.replace("dGhl", "----");
        assert_eq!(refusal(&format!("GET /sync HTTP/1.1\n{bad_key}\n")), Some(Refusal::Malformed));
    }
}
