//! The file that the results go to, one line for each line of the input.

use std::{
    fmt::Display,
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, BufWriter, Seek, SeekFrom, Write},
    path::Path,
};

use anyhow::{Context, Result, ensure};

/// Results in the order of the input, so that their number is where to go on.
#[derive(Debug)]
pub(crate) struct Output(BufWriter<File>);

impl Output {
    /// Keeps the first `lines` of what is there, and writes behind them.
    pub(crate) fn open(path: &Path, lines: u64) -> Result<Self> {
        let open = || -> io::Result<(File, u64, u64)> {
            let mut options = OpenOptions::new();
            let file = options.read(true).write(true).create(true).truncate(false).open(path)?;
            let mut reader = BufReader::new(&file);
            let (mut kept, mut bytes) = (0, 0);
            while kept < lines {
                let line = reader.skip_until(b'\n')?;
                if line == 0 {
                    break;
                }
                (kept, bytes) = (kept + 1, bytes + line as u64);
            }
            Ok((file, kept, bytes))
        };
        let cannot_write = || format!("cannot write {}", path.display());
        let (mut file, kept, bytes) = open().with_context(cannot_write)?;
        ensure!(kept == lines, "{} has only {kept} lines to go on from", path.display());
        // A line that was half written when the program was killed is written again.
        file.set_len(bytes)
            .and_then(|()| file.seek(SeekFrom::End(0)))
            .with_context(cannot_write)?;
        Ok(Self(BufWriter::new(file)))
    }

    pub(crate) fn write(&mut self, line: impl Display) -> io::Result<()> {
        writeln!(self.0, "{line}")
    }

    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.0.flush()
    }
}
