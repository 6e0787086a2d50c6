//! Native adapters.
