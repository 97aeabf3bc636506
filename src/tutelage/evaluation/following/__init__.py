"""Following instructions: checks that a program can make, and prompts that come with them."""
