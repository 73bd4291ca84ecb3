"""What the network sees: class activation maps, filters, and proofs that they mean something."""
