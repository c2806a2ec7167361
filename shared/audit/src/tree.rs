//! The Merkle tree of RFC 6962 over the entries' hashes. Only the roots of its complete subtrees are kept, so that a chain
//! of any length grows by a few hashes of memory.

use sha2::{Digest, Sha256};

/// SHA-256.
pub type Hash = [u8; 32];

/// Hash before the first entry.
pub const NO_HASH: Hash = [0; 32];

/// Tree that grows by one leaf at a time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    size: u64,
    /// Roots of the complete subtrees, the largest first: one for each bit that is set in `size`.
    peaks: Vec<Hash>,
}

impl Tree {
    /// Reads what [`Tree::peaks`] gave for a tree of this size; `None` if the two do not belong together.
    #[must_use]
    pub fn of(size: u64, peaks: &[u8]) -> Option<Self> {
        let (peaks, rest) = peaks.as_chunks::<32>();
        let fits = rest.is_empty() && peaks.len() == size.count_ones() as usize;
        fits.then(|| Self { size, peaks: peaks.to_vec() })
    }

    /// Returns the number of leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Returns what is to be kept beside the size.
    #[must_use]
    pub fn peaks(&self) -> Vec<u8> {
        self.peaks.concat()
    }

    /// Adds a leaf. An entry's hash is a leaf's hash of RFC 6962 already.
    pub fn push(&mut self, leaf: Hash) {
        let mut peak = leaf;
        // A carry, as in counting: two subtrees of one size become one.
        for _ in 0..self.size.trailing_ones() {
            peak = self.peaks.pop().map_or(peak, |left| node(&left, &peak));
        }
        self.peaks.push(peak);
        self.size += 1;
    }

    /// Returns the root; that of no leaf is the hash of nothing.
    #[must_use]
    pub fn root(&self) -> Hash {
        let folded = self.peaks.iter().rev().copied().reduce(|right, left| node(&left, &right));
        folded.unwrap_or_else(|| Sha256::digest(b"").into())
    }
}

fn node(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Leaves of the reference implementation of RFC 6962, and the roots of the trees of the first 1, 2, ... of them.
    const LEAVES: [&[u8]; 8] = [
        b"",
        &[0x00],
        &[0x10],
        &[0x20, 0x21],
        &[0x30, 0x31],
        &[0x40, 0x41, 0x42, 0x43],
        &[0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57],
        &[0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f],
    ];
    const ROOTS: [&str; 8] = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    fn hex(hash: Hash) -> String {
        hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn roots_are_those_of_rfc_6962() {
        let mut tree = Tree::default();
        assert_eq!(hex(tree.root()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        for (leaf, root) in LEAVES.iter().zip(ROOTS) {
            tree.push(Sha256::new().chain_update([0]).chain_update(leaf).finalize().into());
            assert_eq!(hex(tree.root()), root, "{} leaves", tree.size());
        }
    }

    #[test]
    fn a_tree_goes_on_from_what_was_kept_of_it() {
        let (mut whole, mut kept) = (Tree::default(), Tree::default());
        for number in 0..=130_u8 {
            whole.push([number; 32]);
            kept = Tree::of(kept.size(), &kept.peaks()).unwrap();
            kept.push([number; 32]);
            assert_eq!(kept.root(), whole.root());
        }
        assert_eq!(Tree::of(3, &[0; 32]), None);
        assert_eq!(Tree::of(1, &[0; 33]), None);
    }
}
