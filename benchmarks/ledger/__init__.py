"""The proof that nothing is lost: clients write down every answer while faults come and go, and then the books are balanced."""
