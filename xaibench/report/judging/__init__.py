"""How sure each number is, and what it amounts to: tables before they become words."""
