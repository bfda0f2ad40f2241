"""From names to one LLMSpec: the catalogue, the resolver, addresses and credentials."""
