//! The lines of a file, read when they are asked for.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Read, Write},
    path::Path,
};

/// Writes a file of orders, of which one in a thousand is malformed.
pub(crate) fn generate(path: &Path, lines: u64) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    for id in 0..lines {
        // Spreads neighbouring numbers over all of u64 (Fibonacci hashing).
        let mixed = id.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let (customer, cents) = (mixed >> 50, mixed >> 40 & 0xF_FFFF);
        if id % 1_000 == 999 {
            writeln!(file, "{id},{customer},n/a,an order without an amount")?;
        } else {
            writeln!(file, "{id},{customer},{cents},order {mixed:x} of customer {customer}")?;
        }
    }
    file.flush()
}

/// How many lines a file has.
pub(crate) fn count(path: &Path) -> io::Result<u64> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 1 << 16];
    let (mut lines, mut last) = (0, b'\n');
    loop {
        let bytes = match file.read(&mut buffer)? {
            0 => break,
            bytes => &buffer[..bytes],
        };
        lines += bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
        last = bytes[bytes.len() - 1];
    }
    Ok(lines + u64::from(last != b'\n'))
}

/// The lines of a file from one on, as many as were counted.
///
/// It is known how many there are, so progress has an end and chunks can be sized for it.
#[derive(Debug)]
pub(crate) struct Lines {
    file: BufReader<File>,
    left: usize,
}

impl Lines {
    pub(crate) fn open(path: &Path, first: u64, count: u64) -> io::Result<Self> {
        let mut file = BufReader::with_capacity(1 << 16, File::open(path)?);
        for _ in 0..first {
            file.skip_until(b'\n')?;
        }
        let left = usize::try_from(count.saturating_sub(first)).map_err(io::Error::other)?;
        Ok(Self { file, left })
    }
}

impl Iterator for Lines {
    type Item = io::Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let mut line = Vec::new();
        match self.file.read_until(b'\n', &mut line) {
            // Somebody has made the file shorter.
            Ok(0) => self.left = 0,
            Ok(_) => {
                line.pop_if(|last| *last == b'\n');
                return Some(Ok(line));
            }
            Err(error) => {
                self.left = 0;
                return Some(Err(error));
            }
        }
        None
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Lines {}
