"""Where a credential comes from: one file per source, and the chain that orders them."""
