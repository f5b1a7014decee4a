//! Small writes as one buffer.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncWrite, ReadBuf};

/// The maximum size of a write whose buffers are copied into one, such as the head of a message with a small body. Writing
/// one buffer takes the operating system less time than writing several.
const SMALL: usize = 2048;

/// Writes as [`AsyncWrite::poll_write_vectored`] does, but few bytes as one buffer.
///
/// # Errors
/// Those of the write.
pub(crate) fn poll_write_gathered(
    io: &mut (impl AsyncWrite + Unpin),
    cx: &mut Context<'_>,
    slices: &[IoSlice<'_>],
) -> Poll<io::Result<usize>> {
    let io = Pin::new(io);
    if let [only] = slices {
        return io.poll_write(cx, only);
    }
    if slices.iter().map(|slice| slice.len()).sum::<usize>() > SMALL {
        return io.poll_write_vectored(cx, slices);
    }
    let mut storage = [const { MaybeUninit::uninit() }; SMALL];
    let mut bytes = ReadBuf::uninit(&mut storage);
    for slice in slices {
        bytes.put_slice(slice);
    }
    io.poll_write(cx, bytes.filled())
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    /// A writer that keeps the buffers of the last write.
    #[derive(Debug, Default)]
    struct Kept(Vec<Vec<u8>>);

    impl AsyncWrite for Kept {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.0 = vec![bytes.to_vec()];
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_write_vectored(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            slices: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            self.0 = slices.iter().map(|slice| slice.to_vec()).collect();
            Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn small_writes_are_one_buffer() {
        let cases: [(&[usize], usize); 7] = [
            (&[], 1),
            (&[5], 1),
            (&[100_000], 1),
            (&[3, 0, 7], 1),
            (&[1000, 1048], 1),
            (&[1000, 1049], 2),
            (&[10, 100_000], 2),
        ];
        for (sizes, expected) in cases {
            let parts: Vec<Vec<u8>> = sizes.iter().zip(1..).map(|(size, byte)| vec![byte; *size]).collect();
            let slices: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
            let mut kept = Kept::default();
            let written = poll_write_gathered(&mut kept, &mut Context::from_waker(Waker::noop()), &slices);
            assert!(matches!(written, Poll::Ready(Ok(count)) if count == sizes.iter().sum::<usize>()));
            assert_eq!((kept.0.len(), kept.0.concat()), (expected, parts.concat()), "{sizes:?}");
        }
    }
}
