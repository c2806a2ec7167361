//! Directed graphs by index: the parts of one in which everything leads to everything.

/// Returns the strongly connected parts, each after all those that it leads to (Tarjan, without recursion).
pub(crate) fn parts(leads_to: &[Vec<usize>]) -> Vec<Vec<usize>> {
    const UNSEEN: usize = usize::MAX;
    let count = leads_to.len();
    let (mut index, mut low) = (vec![UNSEEN; count], vec![0; count]);
    let (mut open, mut is_open) = (Vec::new(), vec![false; count]);
    let (mut parts, mut next) = (Vec::new(), 0);
    for root in 0..count {
        if index[root] != UNSEEN {
            continue;
        }
        let mut path: Vec<(usize, usize)> = vec![(root, 0)];
        while let Some((at, edge)) = path.pop() {
            if edge == 0 {
                (index[at], low[at]) = (next, next);
                next += 1;
                open.push(at);
                is_open[at] = true;
            }
            if let Some(&to) = leads_to[at].get(edge) {
                path.push((at, edge + 1));
                if index[to] == UNSEEN {
                    path.push((to, 0));
                } else if is_open[to] {
                    low[at] = low[at].min(index[to]);
                }
                continue;
            }
            if let Some(&(parent, _)) = path.last() {
                low[parent] = low[parent].min(low[at]);
            }
            if low[at] == index[at] {
                let mut part = Vec::new();
                while let Some(member) = open.pop() {
                    is_open[member] = false;
                    part.push(member);
                    if member == at {
                        break;
                    }
                }
                parts.push(part);
            }
        }
    }
    parts
}

/// Returns `true` if the part has a circle: several members, or one that leads to itself.
pub(crate) fn is_circle(part: &[usize], leads_to: &[Vec<usize>]) -> bool {
    part.len() > 1 || part.first().is_some_and(|only| leads_to[*only].contains(only))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_after_what_they_lead_to() {
        // 0 -> 1 -> 2 -> 1, 2 -> 3, 4 -> 4
        let leads_to = vec![vec![1], vec![2], vec![1, 3], vec![], vec![4]];
        let mut found = parts(&leads_to);
        found.iter_mut().for_each(|part| part.sort_unstable());
        assert_eq!(found, vec![vec![3], vec![1, 2], vec![0], vec![4]]);
        let circles: Vec<_> = found.iter().filter(|part| is_circle(part, &leads_to)).cloned().collect();
        assert_eq!(circles, vec![vec![1, 2], vec![4]]);
    }

    #[test]
    fn a_long_chain_needs_no_stack() {
        let chain: Vec<_> = (0..200_000).map(|at| vec![(at + 1) % 200_000]).collect();
        assert_eq!(parts(&chain).len(), 1);
    }
}
