"""What a tool that nobody here wrote makes of the contract: its cases, frozen, and its own run, which must agree."""
