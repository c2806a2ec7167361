//! Circles of a flow: of parents, which there may never be, and through nodes of a type that has none.

use crate::{graph, object::Faults};

/// A node, as far as circles go.
pub(crate) struct Node {
    pub(crate) is_acyclic: bool,
}

/// Notes the circles that there may not be.
pub(crate) fn judge(faults: &mut Faults, nodes: &[Node], parents: &[Option<usize>], ends: &[(usize, usize)]) {
    let up: Vec<Vec<usize>> = parents.iter().map(|parent| parent.iter().copied().collect()).collect();
    for circle in graph::parts(&up).iter().filter(|part| graph::is_circle(part, &up)) {
        if let Some(first) = circle.iter().min() {
            faults.add(format!("/nodes/{first}/parentId"), "the node lies within itself");
        }
    }
    let mut leads_to = vec![Vec::new(); nodes.len()];
    for (source, target) in ends {
        leads_to[*source].push(*target);
    }
    for circle in graph::parts(&leads_to).iter().filter(|part| graph::is_circle(part, &leads_to)) {
        if let Some(first) = circle.iter().filter(|at| nodes[**at].is_acyclic).min() {
            faults.add(format!("/nodes/{first}"), "edges lead from it back to it, which its type does not allow");
        }
    }
}
