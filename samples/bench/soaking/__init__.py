"""The parts of the soak (bench/soak.py): who asks, who answers, what is looked at inside, and what is concluded."""
