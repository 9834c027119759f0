"""Given names for stand-ins, common ones, and the gender they tell."""

from __future__ import annotations

FEMALE = (
    "Abigail Ada Adele Agnes Alice Alma Amelia Amy Andrea Angela Anna Annette Audrey Barbara Beatrice Bella Bernice "
    "Beth Betty Beverly Bianca Bonnie Brenda Bridget Brooke Camille Cara Carla Carmen Carol Caroline Catherine "
    "Cecilia Celia Charlotte Cheryl Chloe Christine Claire Clara Cora Cynthia Daisy Dana Daphne Deborah Delia "
    "Denise Diana Dolores Donna Dora Doris Dorothy Edith Eileen Elaine Eleanor Elena Elise Elizabeth Ella Ellen "
    "Elsa Emily Emma Erica Esther Eva Evelyn Faith Fatima Felicia Fern Fiona Flora Florence Frances Frida Gabriela "
    "Gail Gemma Geraldine Gina Gladys Gloria Grace Greta Gwen Hannah Harriet Hazel Heather Heidi Helen Helga "
    "Henrietta Hilda Holly Ida Ilse Imani Ines Ingrid Irene Iris Irma Isabel Isla Ivy Jacqueline Jane Janet Janice "
    "Jean Jennifer Jessica Joan Joanna Josephine Joyce Judith Julia Julie June Karen Karin Kate Katherine Kathleen "
    "Kayla Kelly Kim Kirsten Krista Laura Lauren Leah Lena Leona Lila Lillian Linda Lisa Lois Lorraine Louise Lucia "
    "Lucy Lydia Mabel Maeve Margaret Maria Marie Marion Marjorie Martha Mary Maureen Melissa Mia Michelle Mildred "
    "Miriam Molly Monica Nadia Nancy Naomi Natalie Nell Nicole Nina Noelle Nora Norma Odette Olga Olive Olivia Opal "
    "Ottilie Pamela Patricia Paula Pauline Pearl Peggy Petra Phyllis Polly Priscilla Queenie Quiana Quinta Rachel "
    "Ramona Rebecca Regina Renata Rita Roberta Rosa Rosalie Rosemary Roxanne Ruth Sabine Sadie Sally Samantha "
    "Sandra Sarah Selma Sharon Sheila Shirley Silvia Sofia Sonia Stella Susan Sylvia Tamara Tanya Tara Teresa "
    "Thelma Theresa Tina Tracy Trudy Ulla Una Ursula Valerie Vanessa Vera Verena Veronica Victoria Viola Virginia "
    "Vivian Wanda Wendy Wilhelmina Wilma Winifred Xandra Xenia Ximena Yasmin Yolanda Yvette Yvonne Zara Zelda "
    "Zinnia Zoe"
)
MALE = (
    "Aaron Abel Adam Adrian Alan Albert Alexander Alfred Andre Andrew Anthony Arnold Arthur August Barry "
    "Bartholomew Ben Benjamin Bernard Boris Bradley Brandon Brian Bruce Bruno Byron Caleb Calvin Carl Carlos Cecil "
    "Charles Chester Christian Christopher Clarence Claude Clifford Conrad Curtis Cyril Damian Daniel Darren David "
    "Dean Dennis Derek Dominic Donald Douglas Duncan Dwight Earl Edgar Edmund Eduardo Edward Edwin Elias Elliot "
    "Emil Eric Ernest Ethan Eugene Evan Felix Fergus Fernando Floyd Francis Frank Franklin Fred Frederick Gabriel "
    "Gareth Gary Geoffrey George Gerald Gilbert Glenn Gordon Graham Gregory Gustav Harold Harry Harvey Hector Henry "
    "Herbert Herman Howard Hubert Hugh Hugo Ian Igor Immanuel Ira Irving Isaac Isaiah Ivan Ivor Jack Jacob James "
    "Jason Jeffrey Jeremy Jerome Joel John Jonas Jonathan Joseph Joshua Juan Julian Justin Karl Keith Kenneth Kevin "
    "Kirk Klaus Knut Kurt Kyle Lamar Lance Larry Laurence Leo Leon Leonard Leroy Leslie Lewis Lionel Lloyd Louis "
    "Lucas Luis Luther Malcolm Manuel Marcus Mario Mark Martin Marvin Matthew Maurice Max Michael Miguel Milton "
    "Mitchell Morris Nathan Ned Neil Nelson Nicholas Nils Noah Norman Oliver Omar Orlando Oscar Otis Otto Owen "
    "Patrick Paul Pedro Percy Peter Philip Pierre Quentin Quincy Quinn Ralph Ramon Randall Raymond Reginald Richard "
    "Robert Rodney Roger Roland Ronald Roy Rudolf Rufus Rupert Russell Samuel Saul Scott Sean Sebastian Sidney "
    "Silas Simon Spencer Stanley Stephen Steven Stuart Terence Theodore Thomas Timothy Tobias Todd Travis Trevor "
    "Tyler Ulrich Ulysses Umberto Valentin Vernon Victor Vincent Virgil Wallace Walter Warren Wayne Wendell Werner "
    "Wesley Wilbur Wilfred William Winston Xander Xavier Yannick Yosef Yuri Yusuf Yves Zachary Zane Zeno Zoltan"
)


def _by_letter(names: str) -> dict[str, tuple[str, ...]]:
    every = names.split()
    return {letter: tuple(name for name in every if name[0] == letter) for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}


BY_GENDER = {"f": _by_letter(FEMALE), "m": _by_letter(MALE)}
"""Gender -> capital letter -> names that begin with it; none is empty."""
GENDER = {name.lower(): "m" for name in MALE.split()} | {name.lower(): "f" for name in FEMALE.split()}
"""Known given names, in lower case."""
