"""What a network costs on devices of the user's, found by commands before it is trained."""
