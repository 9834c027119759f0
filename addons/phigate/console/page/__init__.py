"""The console's page: people sign in, see what waits for them, and say yes or no. Plain HTML, no script."""
