//! A client that speaks just enough of a protocol to ask something and understand the answer.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// What a server understands.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Protocol {
    /// Whatever is sent comes back.
    Echo,
    Postgres,
    Redis,
}

pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    protocol: Protocol,
}

/// Until an answer that should come is given up.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long nothing has to come.
const SILENCE: Duration = Duration::from_millis(50);

impl Client {
    /// Connects and does nothing more.
    pub(crate) fn dial(protocol: Protocol, address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, protocol })
    }

    /// Connects and asks once.
    pub(crate) fn connect(protocol: Protocol, address: SocketAddr) -> io::Result<Self> {
        let mut client = Self::dial(protocol, address)?;
        client.greet()?;
        client.greeted()?;
        client.ask()?;
        Ok(client)
    }

    /// Sends what a connection begins with, if anything.
    pub(crate) fn greet(&mut self) -> io::Result<()> {
        if let Protocol::Postgres = self.protocol {
            let parameters = b"\0\x03\0\0user\0postgres\0\0";
            self.stream.write_all(&[&length(parameters), &parameters[..]].concat())?;
        }
        Ok(())
    }

    /// Waits until the server is ready for questions.
    pub(crate) fn greeted(&mut self) -> io::Result<()> {
        match self.protocol {
            Protocol::Postgres => self.until_ready().map(drop),
            Protocol::Echo | Protocol::Redis => Ok(()),
        }
    }

    pub(crate) fn ask(&mut self) -> io::Result<()> {
        self.send()?;
        self.answer()
    }

    /// Sends a question.
    pub(crate) fn send(&mut self) -> io::Result<()> {
        match self.protocol {
            Protocol::Echo => self.stream.write_all(b"hello"),
            Protocol::Redis => self.stream.write_all(b"PING\r\n"),
            Protocol::Postgres => self.send_query("SELECT 42"),
        }
    }

    /// Waits for the answer to a question.
    pub(crate) fn answer(&mut self) -> io::Result<()> {
        let expected: &[u8] = match self.protocol {
            Protocol::Echo => b"hello",
            Protocol::Redis => b"+PONG\r\n",
            Protocol::Postgres => {
                assert_eq!(self.until_ready()?, ["42"]);
                return Ok(());
            }
        };
        let mut answer = vec![0; expected.len()];
        self.stream.read_exact(&mut answer)?;
        assert_eq!(answer, expected);
        Ok(())
    }

    /// The first column of the rows that a query to PostgreSQL gives.
    pub(crate) fn query(&mut self, text: &str) -> io::Result<Vec<String>> {
        self.send_query(text)?;
        self.until_ready()
    }

    /// Checks that neither bytes nor an end nor an error comes for a moment.
    pub(crate) fn hears_nothing(&mut self) {
        self.stream.set_read_timeout(Some(SILENCE)).unwrap();
        // This, unlike `read`, tries again after a signal.
        let heard = self.stream.read_exact(&mut [0]);
        self.stream.set_read_timeout(Some(PATIENCE)).unwrap();
        assert_eq!(heard.unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }

    fn send_query(&mut self, text: &str) -> io::Result<()> {
        let text = [text.as_bytes(), b"\0"].concat();
        self.stream.write_all(&[b"Q", &length(&text)[..], &text].concat())
    }

    /// Reads messages up to `ReadyForQuery`; an `ErrorResponse` is an error.
    fn until_ready(&mut self) -> io::Result<Vec<String>> {
        let mut rows = Vec::new();
        loop {
            let mut head = [0; 5];
            self.stream.read_exact(&mut head)?;
            let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
            let mut body = vec![0; length as usize - 4];
            self.stream.read_exact(&mut body)?;
            match head[0] {
                b'Z' => return Ok(rows),
                b'E' => return Err(io::Error::other(String::from_utf8_lossy(&body).into_owned())),
                // The number of columns, and the length of the first one before it.
                b'D' => rows.push(String::from_utf8_lossy(&body[6..]).into_owned()),
                _ => {}
            }
        }
    }
}

/// The length of a message, itself included, as PostgreSQL wants it.
fn length(message: &[u8]) -> [u8; 4] {
    u32::try_from(message.len() + 4).unwrap().to_be_bytes()
}
