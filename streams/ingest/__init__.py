"""How do messages become events? Read, held to what may come in, decided, recorded."""
