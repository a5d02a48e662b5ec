"""Pure translation between the two dialects: the same bytes in give the same bytes out."""
