//! Whole numbers in [MessagePack](https://msgpack.org), as scripts read and write them.

/// `numbers`, one after another.
pub(super) fn pack(numbers: &[u64]) -> Vec<u8> {
    let mut packed = Vec::with_capacity(2 * numbers.len());
    for number in numbers {
        match u8::try_from(*number) {
            Ok(small @ 0..=0x7f) => packed.push(small),
            _ => {
                packed.push(0xcf);
                packed.extend(number.to_be_bytes());
            }
        }
    }
    packed
}

/// What a script has packed, one value after another.
pub(super) struct Packed<'a>(&'a [u8]);

impl<'a> Packed<'a> {
    pub(super) const fn of(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Passes over so many values.
    pub(super) fn skip(&mut self, count: usize) -> Option<&mut Self> {
        for _ in 0..count {
            self.value()?;
        }
        Some(self)
    }

    pub(super) fn next<T: TryFrom<i64>>(&mut self) -> Option<T> {
        T::try_from(self.value()?).ok()
    }

    pub(super) fn flag(&mut self) -> Option<bool> {
        self.next::<u8>().map(|flag| flag == 1)
    }

    /// A number; of a string, its length.
    fn value(&mut self) -> Option<i64> {
        let kind = self.unsigned(1)?.to_le_bytes()[0];
        let number = match kind {
            0x00..=0x7f => u64::from(kind),
            0xcc..=0xcf => self.unsigned(1 << (kind - 0xcc))?,
            0xd0..=0xd3 => return self.signed(1 << (kind - 0xd0)),
            0xe0..=0xff => return Some(i64::from(kind.cast_signed())),
            0xa0..=0xbf => self.string(usize::from(kind - 0xa0))?,
            0xd9 | 0xda => {
                let length = self.unsigned(1 << (kind - 0xd9))?;
                self.string(usize::try_from(length).ok()?)?
            }
            _ => return None,
        };
        i64::try_from(number).ok()
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn string(&mut self, length: usize) -> Option<u64> {
        self.take(length).and_then(|text| u64::try_from(text.len()).ok())
    }

    fn unsigned(&mut self, bytes: usize) -> Option<u64> {
        let taken = self.take(bytes)?;
        Some(taken.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn signed(&mut self, bytes: usize) -> Option<i64> {
        // Extended from its own width to ours.
        let unused = 64 - 8 * u32::try_from(bytes).ok()?;
        Some((self.unsigned(bytes)? << unused).cast_signed() >> unused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        let numbers = [0, 1, 127, 128, 255, 70_000, 1 << 40];
        let packed = pack(&numbers);
        let mut found = Packed::of(&packed);
        for number in numbers {
            assert_eq!(found.next(), Some(number));
        }
        assert_eq!(found.next::<u64>(), None);
    }

    #[test]
    fn what_redis_packs_is_read() {
        // As cmsgpack.pack(-1, -200, -70000, 300, '12', 5) has it.
        let packed = b"\xff\xd1\xff\x38\xd2\xff\xfe\xee\x90\xcd\x01\x2c\xa212\x05";
        let mut found = Packed::of(packed);
        let numbers: Vec<i64> = std::iter::from_fn(|| found.next()).collect();
        assert_eq!(numbers, [-1, -200, -70_000, 300, 2, 5]);
    }
}
