//! `jetson-agent`: measures what an engine costs on the board it runs on.

fn main() {}
